"""Forecasts of the setups of a search."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from ncnn_peakmem import forecast, param_file
from ncnn_peakmem.advice.search import Foretell, Outlook
from ncnn_peakmem.advice.space import Setup, Space
from ncnn_peakmem.case import Precision
from ncnn_peakmem.conversion import ConversionError
from ncnn_peakmem.graph import GraphError
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.network import Loops, ModelFiles
from ncnn_peakmem.runtimes import Runtime

_HOPELESS = (
    ConversionError,
    GraphError,
    param_file.ParamFileError,
    forecast.LearnedError,
    forecast.NotForecast,
)


def foretelling(
    space: Space,
    model: Callable[[Precision], ModelFiles],
    runtime: Runtime,
    machine: MachineClass,
    loops: Loops,
) -> Foretell:
    """Tells the heap of a setup, each once; None where no forecast of it can be made."""

    @cache
    def tell(setup: Setup) -> Outlook | None:
        case = space.case(setup)
        setting = forecast.Setting(machine, runtime.release, case.flags, case.threads)
        try:
            told = forecast.predict(model(setup.precision), setting, loops)
        except _HOPELESS:
            return None
        share = told.lower_bound / told.peak.bytes if told.peak.bytes else 0.0
        return Outlook(told.phases, share, doubted=bool(told.basis.doubts))

    return tell
