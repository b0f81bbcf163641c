"""What a case takes beyond its budget. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ncnn_peakmem.budget import Budget
from ncnn_peakmem.measurement import JUDGED, Gauge, Measurement, Metric, Phase


@dataclass(frozen=True, slots=True)
class Overrun:
    """One figure beside the budget that it exceeds, in bytes, both gross: as `top` shows them."""

    gauge: Gauge
    phase: Phase
    metric: Metric
    measured: int
    budget: int

    @property
    def excess(self) -> int:
        """Bytes beyond the budget."""
        return self.measured - self.budget


def overruns(measured: Measurement, budget: Budget) -> tuple[Overrun, ...]:
    """What exceeds the budget, in the order of gauges and phases.

    A gauge that did not run and a phase that was not reached exceed nothing.
    """
    found = []
    for (gauge, phase), most in budget.items():
        metric = JUDGED[gauge][0]
        reading = measured.readings.get(gauge)
        figure = None if reading is None else reading.gross(phase, metric)
        if figure is not None and figure > most:
            found.append(Overrun(gauge, phase, metric, figure, most))
    return tuple(found)
