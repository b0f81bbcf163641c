"""A history: what was measured of the same cases on release after release."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import (
    JUDGED,
    JUDGED_PHASES,
    Gauge,
    Measurement,
    MeasurementSet,
    Metric,
    Outcome,
    Phase,
    Reading,
)


@dataclass(frozen=True, slots=True)
class Figure:
    """Which number of a case: one metric that a gauge reads in a phase; without one, the most of them all."""

    gauge: Gauge
    phase: Phase | None
    metric: Metric

    def __str__(self) -> str:
        return " ".join(filter(None, (self.gauge, self.phase, self.metric)))


FIGURES: tuple[Figure, ...] = tuple(
    Figure(gauge, phase, metric) for gauge in Gauge for phase in JUDGED_PHASES for metric in JUDGED[gauge]
)
"""Every figure that verdicts rest on, in the order of gauges, phases and metrics."""

PEAKS: Mapping[Gauge, Figure] = {gauge: Figure(gauge, None, JUDGED[gauge][0]) for gauge in Gauge}
"""The overall peak that each gauge reads: the figure to show where there is room for one."""


@dataclass(frozen=True, slots=True)
class Point:
    """One figure of one case on one release, in bytes net of the floor.

    `bytes` is None where the probe did not get that far, and `outcome` tells why; both are None where the
    case was not measured on that release with that gauge. `model` is the digest of the files that were run.
    """

    release: str
    bytes: int | None = None
    outcome: Outcome | None = None
    model: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """One figure of one case, a point a release, oldest first."""

    case: str
    figure: Figure
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class History:
    """Measurements of several releases on one machine class, oldest release first."""

    machine: MachineClass
    releases: tuple[MeasurementSet, ...]

    @property
    def versions(self) -> tuple[str, ...]:
        """The releases, oldest first."""
        return tuple(release.ncnn for release in self.releases)

    @property
    def cases(self) -> tuple[str, ...]:
        """The ids of all cases that any release has, in alphabetical order."""
        return tuple(sorted({case for release in self.releases for case in release.cases}))

    def series(self, case: str, figure: Figure) -> Series:
        """One figure through all releases."""
        points = (_point(release.ncnn, release.cases.get(case), figure) for release in self.releases)
        return Series(case, figure, tuple(points))

    def all_series(self, case: str) -> Iterator[Series]:
        """Every figure of a case that was read on any release."""
        for figure in FIGURES:
            series = self.series(case, figure)
            if any(point.bytes is not None for point in series.points):
                yield series


def _point(release: str, measurement: Measurement | None, figure: Figure) -> Point:
    reading = measurement.readings.get(figure.gauge) if measurement else None
    if measurement is None or reading is None:
        return Point(release)
    return Point(release, _net(reading, figure), reading.outcome, measurement.model)


def _net(reading: Reading, figure: Figure) -> int | None:
    if figure.phase is not None:
        return reading.net(figure.phase, figure.metric)
    # The largest phase of a probe that died early is no peak of the case.
    return reading.net_peak(figure.metric) if reading.outcome.ok else None
