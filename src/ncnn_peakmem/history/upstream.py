"""Changes of ncnn that are known to move its memory, and the change points that each of them explains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Annotated

import yaml
from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError, with_config

from ncnn_peakmem.history.change_point import ChangePoint
from ncnn_peakmem.measurement import Gauge, Metric, Phase

SHIPPED = Path(__file__).with_name("upstream.yaml")
"""The causes known to this suite."""


class CauseError(ValueError):
    """A file of causes that cannot be used; the message names the file and the place in it."""


class Evidence(StrEnum):
    """How sure it is that a change of ncnn is the cause, the surest first."""

    BISECTED = "bisected"
    """The figure moves between the builds just before and just after it."""
    READ = "read"
    """Its source says that it does this, on this release and in this direction."""
    MEASURED = "measured"
    """Another measurement than this history shows it."""
    LIKELY = "likely"
    """It fits the release, the phase and the layers concerned."""
    EITHER_WAY = "either_way"
    """It fits, but would have the other way too, so that no figure can contradict it."""


class Direction(StrEnum):
    """Where a figure goes."""

    MORE = "more"
    LESS = "less"


_STRICT = ConfigDict(extra="forbid")


def _version(text: str) -> str:
    try:
        Version(text)
    except InvalidVersion:
        raise ValueError(f"{text!r} is not a version such as 1.0.20240410") from None
    return text


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Concern:
    """What a cause moves: the cases whose ids match, in these phases and metrics (all, where left empty)."""

    cases: str
    direction: Direction
    gauge: Gauge = Gauge.HEAP
    phases: frozenset[Phase] = frozenset()
    metrics: frozenset[Metric] = frozenset()

    def meets(self, change: ChangePoint) -> bool:
        """Whether the change is of this kind."""
        figure = change.figure
        return (
            figure.gauge is self.gauge
            and (not self.phases or figure.phase in self.phases)
            and (not self.metrics or figure.metric in self.metrics)
            and (change.difference > 0) == (self.direction is Direction.MORE)
            and fnmatchcase(change.case, self.cases)
        )

    def contradicts(self, other: Concern) -> bool:
        """Whether they move the same figures in opposite directions, one's cases being among the other's."""
        return (
            self.direction is not other.direction
            and self.gauge is other.gauge
            and _have_common(self.phases, other.phases)
            and _have_common(self.metrics, other.metrics)
            # A pattern matches the text of a narrower one.
            and (fnmatchcase(self.cases, other.cases) or fnmatchcase(other.cases, self.cases))
        )


def _have_common(these: frozenset[str], those: frozenset[str]) -> bool:
    """Empty ones stand for all."""
    return not these or not those or bool(these & those)


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Cause:
    """A change of ncnn, by pull requests and commits, which `release` is the first to contain.

    `told` says in a sentence what it does to memory, without figures: those are in the data.
    """

    release: Annotated[str, AfterValidator(_version)]
    told: Annotated[str, Field(min_length=1)]
    evidence: Evidence
    concerns: Annotated[tuple[Concern, ...], Field(min_length=1)]
    pulls: tuple[int, ...] = ()
    commits: tuple[str, ...] = ()

    def explains(self, change: ChangePoint) -> bool:
        """Whether the change came with the cause's release and is of a kind that it concerns."""
        start = change.since if change.crept else change.previous
        in_time = _ordered(start) < _ordered(self.release) <= _ordered(change.release)
        return in_time and any(concern.meets(change) for concern in self.concerns)


def _said_to_be_either_way(cause: Cause) -> Cause:
    for one, other in combinations(cause.concerns, 2):
        if cause.evidence is not Evidence.EITHER_WAY and one.contradicts(other):
            cases = " and ".join(dict.fromkeys((one.cases, other.cases)))
            raise ValueError(
                f"claims both more and less of the same figures ({cases}), which no figure can contradict: "
                f"give its directions apart, or its evidence as {Evidence.EITHER_WAY}"
            )
    return cause


@cache
def _ordered(release: str) -> Version:
    return Version(release)


_CAUSES: TypeAdapter[tuple[Cause, ...]] = TypeAdapter(
    tuple[Annotated[Cause, AfterValidator(_said_to_be_either_way)], ...]
)


def load_causes(path: Path = SHIPPED) -> tuple[Cause, ...]:
    """The causes of a file, in its order.

    `CauseError` where one claims both directions for the same figures, and is not marked as `EITHER_WAY`.
    """
    try:
        return _CAUSES.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise CauseError(f"{path}: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = " > ".join(str(part) for part in first["loc"])
        raise CauseError(f"{path}: {place}: {first['msg']}") from error


def causes_of(change: ChangePoint, causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """The causes that explain a change, in their own order."""
    return tuple(cause for cause in causes if cause.explains(change))


def evidence_of(change: ChangePoint, causes: Sequence[Cause]) -> Evidence | None:
    """The strongest evidence of the causes that explain a change, or None where none does.

    `EITHER_WAY` where the opposite change would be explained as well or better, by whichever causes.
    """
    found = _strongest(change, causes)
    opposite = _strongest(replace(change, after=change.before - change.difference), causes)
    if found is None or opposite is None:
        return found
    return found if _ORDER.index(found) < _ORDER.index(opposite) else Evidence.EITHER_WAY


_ORDER = tuple(Evidence)


def _strongest(change: ChangePoint, causes: Iterable[Cause]) -> Evidence | None:
    return min((cause.evidence for cause in causes_of(change, causes)), key=_ORDER.index, default=None)
