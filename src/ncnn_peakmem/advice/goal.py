"""What advice is asked for: which figure is to be small, and what it may cost. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ncnn_peakmem.measurement import JUDGED, Gauge, Metric, Phase, Reading

FREE = 0.05
"""The growth of latency that a saving may have where neither a budget nor a limit is given."""

_NOISE: Mapping[Gauge, int] = {Gauge.PAGES: 16 << 10}

Figures = Mapping[Phase, Mapping[Metric, int]]


class Stretch(StrEnum):
    """The part of a network's life that a peak is taken over."""

    PEAK = "peak"
    LOAD = "load"
    INFERENCE = "inference"
    LOAD_MODEL = "load_model"
    FIRST = "first"
    STEADY = "steady"

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases that are part of it."""
        return _PHASES[self]

    def of(self, figures: Figures, metric: Metric) -> int | None:
        """The largest figure of its phases in bytes, None where there is none."""
        known = [figures[phase][metric] for phase in self.phases if metric in figures.get(phase, {})]
        return max(known, default=None)


_PHASES: Mapping[Stretch, tuple[Phase, ...]] = {
    Stretch.PEAK: tuple(Phase),
    Stretch.LOAD: (Phase.LOAD_PARAM, Phase.LOAD_MODEL),
    Stretch.INFERENCE: (Phase.FIRST, Phase.STEADY),
    Stretch.LOAD_MODEL: (Phase.LOAD_MODEL,),
    Stretch.FIRST: (Phase.FIRST,),
    Stretch.STEADY: (Phase.STEADY,),
}


@dataclass(frozen=True, slots=True)
class Goal:
    """The headline metric of `gauge` over `stretch`, gross, as small as `budget` bytes if that is given.

    `growth` is how much longer than the reference an inference may take: 0.05 allows 5 %.
    """

    gauge: Gauge = Gauge.HEAP
    stretch: Stretch = Stretch.PEAK
    budget: int | None = None
    growth: float | None = None

    @property
    def metric(self) -> Metric:
        """The metric that is looked at."""
        return JUDGED[self.gauge][0]

    @property
    def noise(self) -> int:
        """By how many bytes two readings of the same may differ."""
        return _NOISE.get(self.gauge, 0)

    @property
    def allowed_growth(self) -> float | None:
        """The limit that holds; None where time is no limit."""
        return FREE if self.budget is None and self.growth is None else self.growth

    def bytes(self, reading: Reading, stretch: Stretch | None = None) -> int | None:
        """The figure of a reading, over the goal's stretch or another one; None where it was never read."""
        return (stretch or self.stretch).of(reading.phases, self.metric)
