"""A float network's files made int8: graph and weights, scale by scale as ncnn's layers read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ncnn_peakmem import model_bin, param_file
from ncnn_peakmem.conversion.quantization import scale, table
from ncnn_peakmem.conversion.quantization.calibration import Feed, bottom_scales, feed
from ncnn_peakmem.conversion.quantization.error import QuantizationError
from ncnn_peakmem.conversion.quantization.report import Report
from ncnn_peakmem.conversion.quantization.requantization import fused
from ncnn_peakmem.conversion.quantization.runner import Runner
from ncnn_peakmem.conversion.quantization.scale import Floats
from ncnn_peakmem.conversion.quantization.table import Scales
from ncnn_peakmem.conversion.quantization.target import GEMM, Target, quantized, targets
from ncnn_peakmem.model_bin import BytesLeft, Storage, Stored, Writer
from ncnn_peakmem.network import Calibration, CalibrationMethod, InputBlob
from ncnn_peakmem.param_file import Graph, Layer

# The matrix of a large layer is looked at in pieces of so many numbers: float64 takes twice its bytes.
_NUMBERS_AT_A_TIME = 1 << 22

_Arrays = Mapping[str, Mapping[str, Stored]]
"""What a file holds: of each layer, by its name, the arrays by their roles."""


def quantize(
    param: Path,
    bin: Path,  # noqa: A002 - the file's kind, as everywhere
    inputs: tuple[InputBlob, ...],
    calibration: Calibration,
    out_param: Path,
    out_bin: Path,
    *,
    gemm: bool,
    out_table: Path | None = None,
    requantize: bool = True,
) -> Report:
    """Write a float network's int8 files; with `gemm` its general matrix products as well.

    `out_table` gets the scales as ncnn2table would write them. Without `requantize` each layer hands on
    floats. Loads ncnn, which may crash. Raises QuantizationError, ParamFileError, ModelBinError, OSError.
    """
    graph = param_file.read(param)
    arrays = _arrays(graph, bin)
    found = tuple(_Weights(target, arrays[target.layer.name]) for target in targets(graph, gemm=gemm))
    used = 0
    if calibration.table is not None:
        scales = table.read(calibration.table, graph, [weights.target for weights in found])
    elif any(weights.target.is_calibrated for weights in found):
        given, used = feed(calibration, inputs, graph)
        scales = _calibrated(Runner(param, bin), given, calibration.method, found)
    else:
        scales = {}
    chosen = {
        weights.target.layer.name: weights
        for weights in found
        if weights.target.layer.name in scales or not weights.target.is_calibrated
    }
    made = fused(graph, [weights.target for weights in chosen.values()], scales) if requantize else {}
    layers = []
    with out_bin.open("wb") as stream:
        writer = Writer(stream)
        for layer in graph.layers:
            if weights := chosen.get(layer.name):
                layers.append(quantized(weights.target, requantize=layer.name in made))
                weights.write(writer, layers[-1], scales.get(layer.name), made.get(layer.name))
            else:
                layers.append(layer)
                for stored in arrays.get(layer.name, {}).values():
                    writer.copy(stored)
    out_param.write_text(param_file.format(Graph(tuple(layers))), encoding="utf-8")
    if out_table:
        out_table.write_text(table.write(scales), encoding="utf-8")
    left = (weights.target.layer.name for weights in found if weights.target.layer.name not in chosen)
    return Report(tuple(chosen), tuple(made), tuple(left), used)


@dataclass(frozen=True, slots=True)
class _Weights:
    """A layer that becomes int8, and its arrays in the float file."""

    target: Target
    arrays: Mapping[str, Stored]

    def scales(self) -> Floats:
        """Those that use the whole range of integers."""
        largest = np.concatenate([scale.largest(rows) for rows in self._rows()])
        if self.target.channels == 1:
            largest = largest.max(keepdims=True)
        return scale.of_range(largest, self.target.levels)

    def write(self, writer: Writer, layer: Layer, scales: Scales | None, top: np.float32 | None) -> None:
        """Write what the int8 layer reads."""
        of_weights = scales.weights if scales else self.scales()
        single = {"bottom scale": scales.bottom if scales else None, "top scale": top}
        for slot in model_bin.slots(layer):
            if slot.role == self._matrix:
                writer.put(slot, self._integers(of_weights), Storage.INT8)
            elif slot.role in single:
                writer.put(slot, np.array([single[slot.role]], np.float32))
            elif slot.kind is model_bin.Kind.SCALE:
                writer.put(slot, of_weights)
            else:
                writer.copy(self.arrays[slot.role])

    @property
    def _matrix(self) -> str:
        return "B" if self.target.layer.type == GEMM else "weight"

    def _integers(self, scales: Floats) -> bytes:
        made = bytearray()
        start = 0
        for rows in self._rows():
            of_rows = scales[start : start + len(rows)] if len(scales) > 1 else np.repeat(scales, len(rows))
            made += scale.integers(rows, of_rows).tobytes()
            start += len(rows)
        return bytes(made)

    def _rows(self) -> Iterator[Floats]:
        """The matrix, a row for each scale, piece by piece; of one with a single scale the rows are many."""
        matrix = self._numbers()
        step = max(1, _NUMBERS_AT_A_TIME // max(1, matrix.shape[1]))
        for start in range(0, len(matrix), step):
            rows = np.asarray(matrix[start : start + step])
            if not np.isfinite(rows).all():
                name = self.target.layer.name
                raise QuantizationError(f"the {self._matrix} of layer {name!r} holds numbers not finite")
            yield rows

    def _numbers(self) -> Floats:
        layer, stored = self.target.layer, self.arrays[self._matrix]
        if stored.storage is Storage.INT8:
            raise QuantizationError(f"layer {layer.name!r} has int8 weights already; give the float network")
        numbers = stored.read()
        if layer.type == GEMM:
            n, k = layer.integer(8), layer.integer(9)
            return numbers.reshape(n, k) if layer.integer(3) == 1 else numbers.reshape(k, n).T
        if stored.slot.count % self.target.channels:
            raise QuantizationError(
                f"the {stored.slot.count} weights of layer {layer.name!r} are not the same number for each "
                f"of {self.target.channels} channels"
            )
        return numbers.reshape(self.target.channels, -1)


def _arrays(graph: Graph, file: Path) -> _Arrays:
    names = [layer.name for layer in graph.layers]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise QuantizationError(f"two layers have the name {twice!r}, by which scales are told apart")
    arrays: dict[str, dict[str, Stored]] = {}
    try:
        for stored in model_bin.walk(graph, file):
            arrays.setdefault(stored.slot.layer, {})[stored.slot.role] = stored
    except BytesLeft:
        # ncnn does not mind, and all arrays are there.
        pass
    return arrays


def _calibrated(
    runner: Runner, given: Feed, method: CalibrationMethod, found: Sequence[_Weights]
) -> Mapping[str, Scales]:
    read = [weights for weights in found if weights.target.is_calibrated]
    bottoms = bottom_scales(runner, given, (weights.target.bottom for weights in read), method)
    return {
        weights.target.layer.name: Scales(weights.scales(), bottoms[weights.target.bottom])
        for weights in read
    }
