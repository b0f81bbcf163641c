"""What an examination found of one thing that figures depend on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How well something is, the best first."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing; figures hold as documented."""
    DEGRADED = "degraded"
    """Some figures are less exact than documented."""
    BROKEN = "broken"
    """Some figures cannot be had, or mean something else."""

    @property
    def severity(self) -> int:
        """Larger is worse."""
        return list(State).index(self)

    @property
    def trusted(self) -> bool:
        """Whether figures can be trusted as they are documented."""
        return self in {State.OK, State.NOTE}


@dataclass(frozen=True, slots=True)
class Finding:
    """One control or circumstance: what was found, what it means for figures, and what to do about it.

    The last two are empty where nothing is off.
    """

    name: str
    state: State
    found: str
    meaning: str = ""
    advice: str = ""
