"""How good forecasts are: beside what gauge `heap` read of the same cases."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.version import Version

from ncnn_peakmem import param_file
from ncnn_peakmem.case import Case
from ncnn_peakmem.forecast.cookbook import Cookbook
from ncnn_peakmem.forecast.engine import forecast
from ncnn_peakmem.forecast.learned import Learned
from ncnn_peakmem.forecast.prediction import Forecast
from ncnn_peakmem.forecast.setting import Setting
from ncnn_peakmem.graph.graph import Graph, build
from ncnn_peakmem.measurement import Gauge, MeasurementSet, Metric
from ncnn_peakmem.network import Loops, ModelFiles


@dataclass(frozen=True, slots=True)
class Trial:
    """A case's peak as it was measured, and as it was forecast; bytes.

    `exact` tells that every figure of every phase is the same, to the byte; `computed` is the share of the
    peak that rests on computed recipes.
    """

    case: Case
    release: Version
    measured: int
    forecast: int
    exact: bool
    computed: float

    @property
    def error(self) -> float:
        """How far the forecast is from what was measured, in percent of that."""
        return 100 * (self.forecast / self.measured - 1)


@dataclass(frozen=True, slots=True)
class Score:
    """How far forecasts are off, in percent, whichever way; and how many are exact."""

    cases: int
    exact: int
    median: float
    worst: float

    @staticmethod
    def of(trials: Sequence[Trial]) -> Score:
        """The score of at least one trial."""
        errors = [abs(trial.error) for trial in trials]
        exact = sum(trial.exact for trial in trials)
        return Score(len(trials), exact, statistics.median(errors), max(errors))


def trials(
    cases: Iterable[Case],
    models: Mapping[str, ModelFiles],
    loops: Mapping[str, Loops],
    measured: MeasurementSet,
    learned: Mapping[str, Learned | None],
) -> Iterator[Trial]:
    """Every case that was measured and ended well; `learned` has, by network, the recipes to be used for it.

    The cases are to differ in light mode, the fp16 flags, those of int8, and threads only.
    """
    release = Version(measured.ncnn)
    graphs: dict[str, tuple[param_file.Graph, Graph]] = {}
    # Forecasts know nothing of int8's flags as long as weights are not in int8.
    known: dict[tuple[str, bool, bool, int], Forecast] = {}
    for case in cases:
        found = measured.cases.get(case.id)
        reading = found.readings.get(Gauge.HEAP) if found else None
        if reading is None or not reading.outcome.ok:
            continue
        setting = Setting(measured.machine, release, case.flags, case.threads)
        name = case.network
        if name not in graphs:
            network = param_file.read(models[name].param)
            graphs[name] = (network, build(network, models[name].inputs, models[name].outputs))
        key = (name, setting.light, setting.half_weights, case.threads)
        if key not in known:
            known[key] = forecast(*graphs[name], Cookbook(learned[name], setting), loops[name])
        told = known[key]
        exact = all(
            told.phases[phase][metric] == reading.gross(phase, metric)
            for phase, metrics in told.phases.items()
            for metric in metrics
        )
        peak = reading.peak(Metric.PEAK)
        assert peak is not None
        yield Trial(case, release, peak, told.peak.bytes, exact, told.basis.computed_bytes / told.peak.bytes)
