"""What a sweep tells while it goes on, and how far it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ncnn_peakmem.measurement import Outcome


@dataclass(frozen=True, slots=True)
class Tally:
    """Cases, each counted once a release: measured so far, to measure in all, and stored before that."""

    measured: int = 0
    to_measure: int = 0
    stored: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.measured + other.measured, self.to_measure + other.to_measure, self.stored + other.stored
        )


@dataclass(frozen=True, slots=True)
class Note:
    """What takes its time; or, if `lasting`, what people should still know when all is over."""

    text: str
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class CaseBegun:
    """A case is handed to its first probe."""

    release: str
    case: str
    tally: Tally


@dataclass(frozen=True, slots=True)
class CaseDone:
    """A case has been measured; `outcome` is the first of its gauges' that is not `ok`."""

    release: str
    case: str
    outcome: Outcome
    tally: Tally


@dataclass(frozen=True, slots=True)
class ReleaseDone:
    """Nothing is left to do on a release, of which `own` tells; or it is not to be had, by its `refusal`."""

    release: str
    own: Tally
    tally: Tally
    refusal: str = ""


Event = Note | CaseBegun | CaseDone | ReleaseDone
Listener = Callable[[Event], None]


class Count:
    """Counts what a sweep has done, per release and in all, and tells of it."""

    def __init__(self, planned: Mapping[str, Tally], listener: Listener) -> None:
        self._releases = dict(planned)
        self._listener = listener

    @property
    def tally(self) -> Tally:
        """Over all releases."""
        return sum(self._releases.values(), Tally())

    def begin(self, release: str, case: str) -> None:
        """A case is about to be measured."""
        self._listener(CaseBegun(release, case, self.tally))

    def done(self, release: str, case: str, outcome: Outcome) -> None:
        """A case has been measured, which may be the release's last."""
        own = self._releases[release]
        self._releases[release] = replace(own, measured=own.measured + 1)
        self._listener(CaseDone(release, case, outcome, self.tally))
        self.look(release)

    def look(self, release: str) -> None:
        """Tell if the release is done."""
        own = self._releases[release]
        if own.measured == own.to_measure:
            self._listener(ReleaseDone(release, own, self.tally))

    def refuse(self, release: str, reason: str) -> None:
        """Nothing can be measured on the release."""
        own = self._releases[release] = replace(self._releases[release], to_measure=0)
        self._listener(ReleaseDone(release, own, self.tally, reason))
