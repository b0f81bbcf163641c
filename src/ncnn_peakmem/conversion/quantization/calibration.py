"""What the float network makes of calibration inputs, and the scales of what its layers read."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from ncnn_peakmem.conversion.quantization import data_files, data_folder, generated_input, scale
from ncnn_peakmem.conversion.quantization.distribution import BINS, Distribution, histogram
from ncnn_peakmem.conversion.quantization.error import QuantizationError
from ncnn_peakmem.conversion.quantization.generated_input import Inputs
from ncnn_peakmem.conversion.quantization.runner import Runner
from ncnn_peakmem.network import Calibration, CalibrationMethod, InputBlob
from ncnn_peakmem.param_file import Graph

Feed = Callable[[], Iterator[Inputs]]
"""Gives the inputs of all runs, anew each time it is called."""


def feed(calibration: Calibration, blobs: Sequence[InputBlob], graph: Graph) -> tuple[Feed, int]:
    """The inputs that a calibration names, and of how many runs. Raises QuantizationError, as they do."""
    if calibration.inputs < 1:
        raise QuantizationError(f"calibration takes one input at least, not {calibration.inputs}")
    if calibration.data is None:
        count = calibration.inputs
        return lambda: (generated_input.calibrating(number, blobs, graph) for number in range(count)), count
    runs = data_files.picked(calibration.data, blobs, calibration.inputs)
    indices = generated_input.vocabularies(graph)
    return lambda: data_folder.each(runs, blobs, indices), len(runs)


def bottom_scales(
    runner: Runner, given: Feed, blobs: Iterable[str], method: CalibrationMethod
) -> Mapping[str, np.float32]:
    """The scale of each blob. One input's blobs are held at a time, and a histogram of each."""
    wanted = tuple(dict.fromkeys(blobs))
    largest = dict.fromkeys(wanted, 0.0)
    for name, values in _values(runner, given, wanted):
        top = float(np.abs(values).max(initial=0))
        if not np.isfinite(top):
            raise QuantizationError(f"blob {name!r} holds numbers that are not finite")
        largest[name] = max(largest[name], top)
    if method is CalibrationMethod.KL:
        counts = {name: np.zeros(BINS, np.int64) for name in wanted}
        for name, values in _values(runner, given, wanted):
            counts[name] += histogram(values, largest[name])
        largest = {name: Distribution(largest[name], counts[name]).entropy_range() for name in wanted}
    return {name: np.float32(scale.of_range(top)) for name, top in largest.items()}


def _values(runner: Runner, given: Feed, wanted: Sequence[str]) -> Iterator[tuple[str, scale.Floats]]:
    return itertools.chain.from_iterable(runner.blobs(inputs, wanted) for inputs in given())
