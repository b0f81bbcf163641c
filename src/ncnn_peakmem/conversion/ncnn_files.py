"""A user's ncnn files, checked and described where they lie."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ncnn_peakmem import model_bin, param_file
from ncnn_peakmem.conversion.error import SHAPES_ADVICE, ConversionError, Stage
from ncnn_peakmem.conversion.fit import misfit
from ncnn_peakmem.graph.shapes import is_possible
from ncnn_peakmem.network import InputBlob, ModelFiles, NcnnFiles, Network, Shape

_FIT_ADVICE = f"correct the Input layer of the .param, or {SHAPES_ADVICE}"


def describe(network: Network, files: NcnnFiles) -> ModelFiles:
    """Describe a `.param` with or without its `.bin`. Raises ConversionError if they cannot be run."""
    try:
        graph = param_file.read(files.param)
    except param_file.ParamFileError as error:
        raise _error(network, str(error)) from error
    if files.bin is not None and not (files.bin.is_file() and files.bin.stat().st_size):
        advice = "correct its path in models.yaml, or leave it out to measure with zero weights"
        raise _error(network, f"{files.bin} is missing or empty", advice)
    if files.bin is not None:
        _refuse_cut_short(network, graph, files.bin)
    inputs = _inputs(network, graph)
    outputs = graph.outputs()
    if not inputs or not outputs:
        missing = "outputs" if inputs else "inputs"
        raise _error(network, f"{files.param} has no {missing}")
    if cause := misfit(graph, inputs):
        given = ", ".join(f"{blob.name!r:.60} {list(blob.shape)}" for blob in inputs)
        cause = f"{cause}; the input shapes, without batch, are {given}"
        raise _error(network, cause, _FIT_ADVICE)
    digest = model_digest(files.param, files.bin, inputs)
    return ModelFiles(files.param, files.bin, inputs, outputs, digest, graph.detections())


def model_digest(param: Path, weights: Path | None, inputs: Sequence[InputBlob]) -> str:
    """Name what a peak depends on: the graph, the input shapes and how many weight bytes there are.

    Weights' values move no peak. The shapes count because a `.param` may run at any size.
    """
    weight_bytes = weights.stat().st_size if weights else 0
    facts = [weight_bytes, *((blob.name, blob.shape) for blob in inputs)]
    digest = hashlib.sha256(param.read_bytes())
    digest.update(json.dumps(facts).encode())
    return digest.hexdigest()[:16]


def _refuse_cut_short(network: Network, graph: param_file.Graph, weights: Path) -> None:
    """Raise ConversionError where ncnn would read beyond the end of a `.bin`, and crash."""
    try:
        # What else may be odd about it, ncnn either does not mind or refuses by itself.
        with suppress(model_bin.BytesLeft, model_bin.UnknownLayer):
            for _ in model_bin.walk(graph, weights):
                pass
    except model_bin.ModelBinError as error:
        advice = "fetch or convert it again, and see that .param and .bin belong to each other"
        raise _error(network, str(error), advice) from error


def _inputs(network: Network, graph: param_file.Graph) -> tuple[InputBlob, ...]:
    declared = graph.inputs()
    if network.input_shapes:
        if len(network.input_shapes) != len(declared):
            cause = f"{len(network.input_shapes)} input shapes for the inputs {', '.join(declared)}"
            raise _error(network, cause, SHAPES_ADVICE)
        shapes = (_without_batch(network, shape) for shape in network.input_shapes)
        return tuple(map(InputBlob, declared, shapes))
    return tuple(InputBlob(name, _declared(network, name, shape)) for name, shape in declared.items())


def _declared(network: Network, name: str, shape: Shape | None) -> Shape:
    if shape is None:
        raise _error(network, f"the .param file does not tell the shape of input {name}", SHAPES_ADVICE)
    return shape


def _without_batch(network: Network, shape: Shape) -> Shape:
    if len(shape) < 2 or shape[0] != 1:
        raise _error(network, f"input shape {list(shape)} does not begin with a batch of 1", SHAPES_ADVICE)
    if not is_possible(shape[1:]):
        cause = f"input shape {list(shape)} is not of 1 to 4 sizes after the batch, each above 0"
        raise _error(network, cause, SHAPES_ADVICE)
    return shape[1:]


def _error(network: Network, cause: str, advice: str = "") -> ConversionError:
    return ConversionError(network.name, Stage.DESCRIBE, cause, advice)
