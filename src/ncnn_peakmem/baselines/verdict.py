"""What judging a case came to: the verdict, and the figures that moved."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from ncnn_peakmem.baselines.overrun import Overrun
from ncnn_peakmem.measurement import Gauge, Metric, Outcome, Phase


class VerdictKind(StrEnum):
    """How a case compares with its baseline."""

    SAME = "same"
    IMPROVED = "improved"
    REGRESSED = "regressed"
    NEW = "new"
    """There is no baseline that it could be compared with."""
    BROKEN = "broken"
    """The outcome got worse."""

    @property
    def severity(self) -> int:
        """Larger is worse. `new` is milder than `regressed`, whose cause is in the code under test."""
        return _MILDEST_FIRST.index(self)


_MILDEST_FIRST = (
    VerdictKind.SAME,
    VerdictKind.IMPROVED,
    VerdictKind.NEW,
    VerdictKind.REGRESSED,
    VerdictKind.BROKEN,
)

# What is longer is a log, which the measurement itself keeps whole.
_LONGEST_CAUSE = 200


@dataclass(frozen=True, slots=True)
class Change:
    """One figure beside its baseline, in bytes, both net of the floor."""

    gauge: Gauge
    phase: Phase
    metric: Metric
    measured: int
    baseline: int
    tolerance: int

    @property
    def difference(self) -> int:
        """Bytes more (or, negative, less) than the baseline."""
        return self.measured - self.baseline

    @property
    def percent(self) -> float | None:
        """The difference in percent of the baseline, or None where that is zero and the figure is not."""
        if self.difference == 0:
            return 0.0
        return 100 * self.difference / abs(self.baseline) if self.baseline else None

    @property
    def exceeds(self) -> bool:
        """Whether the figure grew beyond its tolerance."""
        return self.difference > self.tolerance

    @property
    def improves(self) -> bool:
        """Whether the figure shrank beyond its tolerance."""
        return self.difference < -self.tolerance

    @property
    def size(self) -> tuple[float, int]:
        """How much the figure moved, for ordering: relative first, then absolute."""
        percent = math.inf if self.percent is None else abs(self.percent)
        return percent, abs(self.difference)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one case compares with its baseline, why, and which figures say so.

    `changes` are the figures that moved beyond their tolerance, in the order of gauges, phases and metrics.
    `peaks` has the overall peak of every gauge compared, moved or not, at the phase that reached it.
    `reason` tells in words what figures cannot. `against` is the ncnn version that the baseline is of, empty
    where there is none. `overruns` are the figures beyond the case's budget, which knows of no baseline.
    """

    case: str
    kind: VerdictKind
    reason: str = ""
    changes: tuple[Change, ...] = ()
    peaks: tuple[Change, ...] = ()
    against: str = ""
    overruns: tuple[Overrun, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether a gate lets the case pass: it is no worse than its baseline, and within its budget."""
        return self.kind in {VerdictKind.SAME, VerdictKind.IMPROVED} and not self.overruns

    @property
    def leading(self) -> Change | None:
        """The change that weighs most: growth before gain, gain before peaks that stayed in tolerance."""
        growth = [change for change in self.changes if change.exceeds]
        return max(growth or self.changes or self.peaks, key=lambda change: change.size, default=None)

    @property
    def headline(self) -> Change | None:
        """The one figure to show: the first peak that moved as the verdict says, else the leading change."""
        grew = any(change.exceeds for change in self.changes)
        moved = [peak for peak in self.peaks if (peak.exceeds if grew else peak.improves)]
        return moved[0] if moved else self.leading

    def only(self, gauge: Gauge) -> Verdict:
        """The verdict with one gauge's figures alone."""
        changes = tuple(change for change in self.changes if change.gauge is gauge)
        peaks = tuple(peak for peak in self.peaks if peak.gauge is gauge)
        overruns = tuple(overrun for overrun in self.overruns if overrun.gauge is gauge)
        return replace(self, changes=changes, peaks=peaks, overruns=overruns)


def largest_first(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """The order for summaries: the gravest kind first, then the largest relative and absolute change."""

    def place(verdict: Verdict) -> tuple[int, float, int, str]:
        relative, absolute = verdict.leading.size if verdict.leading else (0.0, 0)
        return -verdict.kind.severity, -relative, -absolute, verdict.case

    return sorted(verdicts, key=place)


def in_words(outcome: Outcome) -> str:
    """Such as `crashed in load_model: SIGSEGV`, on one line and no longer than a line can be."""
    phase = f" in {outcome.phase}" if outcome.phase else ""
    cause = "".join(letter if letter.isprintable() else " " for letter in outcome.cause)
    cause = " ".join(cause.split())
    if len(cause) > _LONGEST_CAUSE:
        cause = cause[:_LONGEST_CAUSE].rstrip() + " ..."
    return outcome.kind.replace("_", " ") + phase + (f": {cause}" if cause else "")
