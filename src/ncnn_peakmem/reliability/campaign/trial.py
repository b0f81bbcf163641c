"""What a campaign keeps: the reading that others are judged against, and what became of each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ncnn_peakmem.baselines import VerdictKind
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import (
    JUDGED,
    JUDGED_PHASES,
    Caveat,
    Gauge,
    Measurement,
    Metric,
    Outcome,
    OutcomeKind,
    Phase,
    Reading,
)
from ncnn_peakmem.network import Loops
from ncnn_peakmem.tolerance import GaugeTolerance, Tolerance, Tolerances

Figures = Mapping[Phase, Mapping[Metric, int]]
"""Bytes by phase and judged metric."""


class Part(StrEnum):
    """What is asked of a probe."""

    IDENTICAL = "identical"
    """The same once more: what a gate tells as worse, or cannot judge, is a false alarm."""
    INJECTED = "injected"
    """A ncnn that holds more: from the stated resolution on, anything but `regressed` there is a miss."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and how a campaign is run: what all of its rows have in common."""

    ncnn: str
    machine: MachineClass
    cpus: int
    loops: Loops
    kernel: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What has one first reading, and any number of trials."""

    part: Part
    case: str
    gauge: Gauge


@dataclass(frozen=True, slots=True)
class Anchor:
    """The first reading of a subject, which stands for its baseline; `figures` are net of the floor."""

    part: Part
    case: str
    gauge: Gauge
    threads: int
    model: str
    tolerance: Tolerance
    figures: Figures
    loops: int
    settled_at: int
    load_average: float
    caveats: tuple[Caveat, ...] = ()

    @property
    def subject(self) -> Subject:
        """Whose first reading it is."""
        return Subject(self.part, self.case, self.gauge)

    @property
    def baseline(self) -> Measurement:
        """The reading as the judge takes it."""
        reading = Reading(Outcome(OutcomeKind.OK), self.figures, self.loops, self.settled_at)
        return Measurement(self.case, self.model, {self.gauge: reading})

    @property
    def tolerances(self) -> Tolerances:
        """What its trials were judged by."""
        return {self.gauge: GaugeTolerance(between_releases=self.tolerance, same_release=self.tolerance)}

    @property
    def count(self) -> int:
        """How many figures are judged."""
        return sum(len(metrics) for metrics in self.figures.values())

    def tolerance_for(self, phase: Phase, metric: Metric) -> int:
        """The bytes that a figure may move by."""
        return self.tolerance.bytes_for(self.figures.get(phase, {}).get(metric, 0))

    @property
    def resolution(self) -> int:
        """The stated resolution in bytes: to hold so many more must be seen, from whichever phase on."""
        return self.tolerance.certainly_seen(
            figure for metrics in self.figures.values() for figure in metrics.values()
        )


@dataclass(frozen=True, slots=True)
class Trial:
    """A later reading of a subject and its verdict; `moved` has every figure that is not as at first.

    `loaded`: the campaign kept the machine busy meanwhile. `number` counts the identical ones of a subject
    under either load. `phase` and `held_bytes` tell what was injected. `reason` is the judge's, in words.
    """

    part: Part
    case: str
    gauge: Gauge
    verdict: VerdictKind
    seconds: float
    load_average: float
    moved: Figures = field(default_factory=dict)
    loaded: bool = False
    number: int = 0
    phase: Phase | None = None
    held_bytes: int = 0
    reason: str = ""

    @property
    def subject(self) -> Subject:
        """Whose later reading it is."""
        return Subject(self.part, self.case, self.gauge)

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from all other trials: the task that it answers has the same."""
        return (self.subject, self.loaded, self.number, self.phase, self.held_bytes)

    @property
    def differences(self) -> Iterator[tuple[Phase, Metric, int]]:
        """Every figure that moved, and by how many bytes."""
        for phase, metrics in self.moved.items():
            for metric, difference in metrics.items():
                yield phase, metric, difference


def judged_figures(gauge: Gauge, reading: Reading) -> Figures:
    """All that verdicts rest on, net of the floor."""
    return {
        phase: {metric: net for metric in JUDGED[gauge] if (net := reading.net(phase, metric)) is not None}
        for phase in reading.phases
        if phase in JUDGED_PHASES
    }


def moved_figures(now: Figures, then: Figures) -> Figures:
    """By how many bytes each figure that both have moved, without those that did not."""
    moved: dict[Phase, dict[Metric, int]] = {}
    for phase, metrics in now.items():
        for metric, value in metrics.items():
            before = then.get(phase, {}).get(metric, value)
            if value != before:
                moved.setdefault(phase, {})[metric] = value - before
    return moved
