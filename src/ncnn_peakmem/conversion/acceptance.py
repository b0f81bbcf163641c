"""What pnnx made is accepted only if ncnn loads it: pnnx exits 0 on much that ncnn refuses or gets wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ncnn_peakmem import param_file
from ncnn_peakmem.conversion import pnnx
from ncnn_peakmem.conversion.bench import Bench
from ncnn_peakmem.conversion.cache import ONNX
from ncnn_peakmem.conversion.error import SHAPES_ADVICE, Stage
from ncnn_peakmem.network import InputBlob, Shape

_LOAD_CHECK = "ncnn_peakmem.conversion.load_check"
# The only trace of external data that pnnx missed and replaced by whatever lay in memory.
_FATAL = "FATAL ERROR"
_MAT_DIMENSIONS = range(1, 5)


def accept(bench: Bench, log: Path, param: Path, weights: Path) -> None:
    """Raise ConversionError unless both files are there, ncnn loads them and pnnx logged nothing fatal."""
    missing = [file.name for file in (param, weights) if not file.is_file()]
    if missing or not param.stat().st_size:
        raise bench.error(Stage.CONVERT, f"pnnx wrote no {' and no '.join(missing or [param.name])}", log)
    with log.open(encoding="utf-8", errors="replace") as lines:
        fatal = next((line.strip() for line in lines if _FATAL in line), None)
    if fatal:
        raise bench.error(Stage.CONVERT, f"pnnx exited 0 but said: {fatal}", log)
    try:
        param_file.read(param)
    except param_file.ParamFileError as error:
        raise bench.error(Stage.CHECK, str(error)) from error
    # An empty .bin passes for a network without weights: ncnn refuses it where a layer misses some.
    bench.python(Stage.CHECK, _LOAD_CHECK, param.name, weights.name, ONNX)


def input_blobs(bench: Bench, ends: pnnx.Ends, shapes: Sequence[Shape]) -> tuple[InputBlob, ...]:
    """Pair pnnx's input blobs with the ONNX inputs' shapes, the batch axis left out."""
    if len(ends.inputs) != len(shapes) or not ends.outputs:
        cause = f"pnnx {pnnx.version()} does not tell the inputs and outputs as {pnnx.PINNED_VERSION} does"
        raise bench.error(Stage.CHECK, cause, advice=f"run `{pnnx.INSTALL}`")
    return tuple(
        InputBlob(name, _mat_shape(bench, shape, batch_axis))
        for (name, batch_axis), shape in zip(ends.inputs.items(), shapes, strict=True)
    )


def _mat_shape(bench: Bench, shape: Shape, batch_axis: int | None) -> Shape:
    if batch_axis is not None and shape[batch_axis] != 1:
        raise bench.error(Stage.CHECK, f"input shape {list(shape)} has a batch above 1", advice=SHAPES_ADVICE)
    mat_shape = tuple(size for axis, size in enumerate(shape) if axis != batch_axis)
    if len(mat_shape) not in _MAT_DIMENSIONS:
        raise bench.error(Stage.CHECK, f"ncnn has no tensor of shape {list(mat_shape)}")
    return mat_shape
