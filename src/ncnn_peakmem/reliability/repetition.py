"""The same probe again and again: how far identical readings lie apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ncnn_peakmem.measurement import JUDGED, JUDGED_PHASES, Gauge, Metric, Phase, Reading
from ncnn_peakmem.reliability.finding import State
from ncnn_peakmem.tolerance import Tolerance


@dataclass(frozen=True, slots=True)
class Spread:
    """One metric over identical probes, in bytes net of the floor, in the phase where it moved most."""

    gauge: Gauge
    threads: int
    metric: Metric
    phase: Phase
    lowest: int
    highest: int
    tolerance: int

    @property
    def bytes(self) -> int:
        """How far the probes lie apart."""
        return self.highest - self.lowest

    @property
    def state(self) -> State:
        """Degraded where two identical probes may be judged as a change."""
        return State.OK if self.bytes <= self.tolerance else State.DEGRADED


def spreads(
    gauge: Gauge, threads: int, readings: Sequence[Reading], tolerance: Tolerance
) -> Iterator[Spread]:
    """The spread of each judged metric of some readings; every one must be complete."""
    for metric in JUDGED[gauge]:
        over_phases = [
            (max(values) - min(values), max(values), phase, min(values))
            for phase in JUDGED_PHASES
            if (values := [net for reading in readings if (net := reading.net(phase, metric)) is not None])
        ]
        if over_phases:
            # Where no phase moved, the one that needs most.
            _, highest, phase, lowest = max(over_phases, key=lambda found: found[:2])
            yield Spread(gauge, threads, metric, phase, lowest, highest, tolerance.bytes_for(lowest))
