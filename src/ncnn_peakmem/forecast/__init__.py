"""The peak of a network told without running it: recipes of its layers, and the policy of ncnn's pools."""

from __future__ import annotations

from ncnn_peakmem import param_file
from ncnn_peakmem.forecast.cookbook import Cookbook
from ncnn_peakmem.forecast.engine import forecast
from ncnn_peakmem.forecast.learned import Learned, LearnedError
from ncnn_peakmem.forecast.library import Library
from ncnn_peakmem.forecast.prediction import Basis, Forecast, NotForecast
from ncnn_peakmem.forecast.room import Room, admits, room
from ncnn_peakmem.forecast.setting import Setting
from ncnn_peakmem.graph.graph import build
from ncnn_peakmem.network import Loops, ModelFiles

__all__ = [
    "Basis",
    "Forecast",
    "Learned",
    "LearnedError",
    "Library",
    "NotForecast",
    "Room",
    "Setting",
    "admits",
    "predict",
    "room",
]


def predict(model: ModelFiles, setting: Setting, loops: Loops, library: Library | None = None) -> Forecast:
    """The heap of a model, told from its `.param` alone.

    `param_file.ParamFileError` where that is no network, `graph.GraphError` where its shapes cannot be told,
    `NotForecast` where light mode cannot run it or a forecast would take too long, `LearnedError` where a
    file of recipes cannot be used.
    """
    network = param_file.read(model.param)
    graph = build(network, model.inputs, model.outputs)
    learned, note = (library or Library()).nearest(setting.machine.id, setting.release)
    return forecast(network, graph, Cookbook(learned, setting), loops, (note,) if note else ())
