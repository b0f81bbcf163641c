"""What was measured of one setup, and which setups are the same. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ncnn_peakmem.advice.goal import Figures, Goal, Stretch
from ncnn_peakmem.advice.space import Setup
from ncnn_peakmem.advice.timing import Ratio, Timing
from ncnn_peakmem.measurement import Gauge, Measurement, Outcome, OutcomeKind, Reading


@dataclass(frozen=True, slots=True)
class Finding:
    """A setup that was measured.

    `ratio` is its time over the reference's, None where it was not timed: it is the same as `same_as`, or
    did not run. `timing` has what the ratio comes from; the reference has none.
    """

    setup: Setup
    measurement: Measurement
    ratio: Ratio | None = None
    timing: Timing | None = None
    same_as: Setup | None = None

    @property
    def outcome(self) -> Outcome:
        """Its first outcome that is not `ok`, that of its memory before that of its time."""
        if not self.measurement.outcome.ok or self.timing is None:
            return self.measurement.outcome
        return self.timing.outcome

    @property
    def runs(self) -> bool:
        """Whether its memory is known."""
        return self.measurement.outcome.ok

    def reading(self, gauge: Gauge) -> Reading:
        """What a gauge read of it."""
        return self.measurement.readings.get(gauge) or Reading(Outcome(OutcomeKind.FAILED), {})

    def bytes(self, goal: Goal, stretch: Stretch | None = None) -> int:
        """The goal's figure, 0 where it was never read."""
        return goal.bytes(self.reading(goal.gauge), stretch) or 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A finding with both figures: the bytes that the goal asks for, and the time."""

    finding: Finding
    bytes: int
    ratio: Ratio

    @property
    def setup(self) -> Setup:
        """What was measured."""
        return self.finding.setup


def candidates(findings: Iterable[Finding], goal: Goal) -> tuple[Candidate, ...]:
    """The findings that can be recommended: they ran, and were timed."""
    return tuple(
        Candidate(one, size, one.ratio)
        for one in findings
        if one.runs and one.ratio is not None and (size := goal.bytes(one.reading(goal.gauge))) is not None
    )


def twin(setup: Setup, measurement: Measurement, goal: Goal, known: Mapping[Setup, Finding]) -> Setup | None:
    """The known setup whose figures are the same in all phases, with fewer changes.

    It has some of the same changes, or all of them with weights of another precision: what was added is then
    nothing that ncnn acts upon.
    """
    if not measurement.outcome.ok:
        return None
    figures = measurement.readings[goal.gauge].phases
    for other, finding in known.items():
        if other.threads != setup.threads or not finding.runs or finding.same_as is not None:
            continue
        fewer = other.precision is setup.precision and set(other.changes) < set(setup.changes)
        restored = other.precision is not setup.precision and other.changes == setup.changes
        if (fewer or restored) and _same(finding.reading(goal.gauge).phases, figures, goal.noise):
            return other
    return None


def _same(one: Figures, other: Figures, noise: int) -> bool:
    """Whether the same was read, each figure by no more than `noise` bytes off."""
    return one.keys() == other.keys() and all(
        sizes.keys() == other[phase].keys()
        and all(abs(size - other[phase][metric]) <= noise for metric, size in sizes.items())
        for phase, sizes in one.items()
    )
