"""The recipe: build or take an ONNX model, simplify it, convert it, and accept only what ncnn loads."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from ncnn_peakmem import networks
from ncnn_peakmem.conversion import ncnn_files, onnx_file, pnnx
from ncnn_peakmem.conversion.acceptance import accept, input_blobs
from ncnn_peakmem.conversion.bench import Bench
from ncnn_peakmem.conversion.cache import BIN, ONNX, PARAM, Cache, Interface, Key
from ncnn_peakmem.conversion.error import SHAPES_ADVICE, ConversionError, Stage
from ncnn_peakmem.network import BuiltIn, Network, OnnxFile, Shape

RECIPE = 1
"""Part of each cache key: raised with a change to this recipe that may change the files it makes."""

# By default onnxsim moves weights above 100 MB to a file of a name that pnnx does not look for.
_ONNXSIM_SETTINGS = ("--external-data-threshold", "2GB")
_BUILD = "ncnn_peakmem.conversion.build"

Filling = Callable[[Path, Path], Interface]
"""Puts files into an empty folder, and its stages' logs into another one."""


@dataclass(frozen=True, slots=True)
class _Start:
    """Where a conversion starts: what names its source, and how its ONNX file gets to the bench.

    Without `input_names` that file has the network's input shapes already.
    """

    source: dict[str, Any]
    packages: tuple[str, ...]
    input_names: tuple[str, ...]
    lay: Callable[[Bench], Path]


def key_and_filling(
    network: Network, source: BuiltIn | OnnxFile, cache: Cache, bench: Bench
) -> tuple[Key, Filling]:
    """The key of a network's fp32 files, and what makes them. Raises ConversionError."""
    match source:
        case BuiltIn():
            start = _start_built_in(network, source)
        case OnnxFile(path):
            start = _start_onnx(network, path, cache, bench)

    def fill(folder: Path, logs: Path) -> Interface:
        return _fill(network, start, folder, replace(bench, folder=folder / "work", logs=logs))

    return _key(network, start), fill


def _start_built_in(network: Network, source: BuiltIn) -> _Start:
    def lay(bench: Bench) -> Path:
        file = bench.folder / "built.onnx"
        shapes = (",".join(map(str, shape)) for shape in network.input_shapes)
        bench.python(Stage.BUILD, _BUILD, source.topology, source.seed, file.name, *shapes)
        return file

    try:
        digest = networks.source_digest(source.topology)
    except ValueError as error:
        advice = "correct the network's topology in models.yaml"
        raise ConversionError(network.name, Stage.BUILD, str(error), advice) from error
    try:
        ends = networks.inputs(source.topology, network.input_shapes)
    except ValueError as error:
        raise ConversionError(network.name, Stage.BUILD, str(error), SHAPES_ADVICE) from error
    named: dict[str, Any] = {"topology": source.topology, "seed": source.seed, "builder": digest}
    # Which inputs a network has by default is told beside its builder.
    if ends != (networks.Input(),):
        named["inputs"] = [[end.name, list(end.shape)] for end in ends]
    return _Start(named, ("numpy", "onnx", "onnxsim"), (), lay)


def _start_onnx(network: Network, path: Path, cache: Cache, bench: Bench) -> _Start:
    model, (digest, *data) = onnx_file.identify(path, cache.root / "onnx", bench)
    if not network.input_shapes:
        _fixed_shapes(bench, model.inputs)
    named = {"onnx": digest, "data": dict(zip(model.data, data, strict=True))}
    names = tuple(value.name for value in model.inputs)
    return _Start(named, ("onnx", "onnxsim"), names, lambda _: path.absolute())


def _key(network: Network, start: _Start) -> Key:
    versions = {package: metadata.version(package) for package in start.packages}
    return Key(
        network.name,
        {
            "recipe": RECIPE,
            "precision": "fp32",
            "source": start.source,
            "input_shapes": network.input_shapes,
            "versions": {**versions, "pnnx": pnnx.version()},
            "settings": {"onnxsim": _ONNXSIM_SETTINGS, "pnnx": pnnx.SETTINGS},
        },
    )


def _fill(network: Network, start: _Start, folder: Path, bench: Bench) -> Interface:
    program = pnnx.binary()
    if program is None:
        raise bench.error(Stage.CONVERT, "pnnx is not installed", advice=f"run `{pnnx.INSTALL}`")
    bench.folder.mkdir()
    onnx, param, weights = (bench.folder / name for name in (ONNX, PARAM, BIN))
    overwrites = _overwrites(bench, network.input_shapes, start.input_names) if start.input_names else ()
    source = start.lay(bench)
    bench.python(Stage.SIMPLIFY, "onnxsim", source, ONNX, *overwrites, *_ONNXSIM_SETTINGS)
    shapes = _simplified_shapes(bench, onnx, network.input_shapes)

    script = bench.folder / "net_ncnn.py"
    log = bench.run(Stage.CONVERT, pnnx.command(program, ONNX, shapes, PARAM, BIN, script.name))
    accept(bench, log, param, weights)
    ends = pnnx.ends(script.read_text(encoding="utf-8", errors="replace"))
    inputs = input_blobs(bench, ends, shapes)

    digest = ncnn_files.model_digest(param, weights, inputs)
    for file in (onnx, param, weights):
        file.rename(folder / file.name)
    shutil.rmtree(bench.folder)
    return Interface(inputs, ends.outputs, digest)


def _overwrites(bench: Bench, shapes: Sequence[Shape], names: Sequence[str]) -> list[str]:
    if not shapes:
        return []
    if len(shapes) != len(names):
        cause = f"models.yaml gives {len(shapes)} input shapes for the inputs {', '.join(names)}"
        raise bench.error(Stage.SIMPLIFY, cause, advice=SHAPES_ADVICE)
    return [
        "--overwrite-input-shape",
        *(f"{name}:{','.join(map(str, shape))}" for name, shape in zip(names, shapes, strict=True)),
    ]


def _simplified_shapes(bench: Bench, onnx: Path, wanted: Sequence[Shape]) -> tuple[Shape, ...]:
    model = onnx_file.inspect(onnx, bench)
    if model.data:
        raise bench.error(Stage.SIMPLIFY, "the simplified model is larger than ONNX's 2 GB in one file")
    shapes = _fixed_shapes(bench, model.inputs)
    # onnxsim passes over a shape of another rank, and over sizes below 1, without a word.
    for value, shape, wish in zip(model.inputs, shapes, wanted, strict=False):
        if shape != wish:
            cause = f"input {value.name} stays {list(shape)}, it cannot be {list(wish)}"
            raise bench.error(Stage.SIMPLIFY, cause, advice=SHAPES_ADVICE)
    return shapes


def _fixed_shapes(bench: Bench, inputs: Sequence[onnx_file.OnnxInput]) -> tuple[Shape, ...]:
    shapes = []
    for value in inputs:
        if value.shape is None:
            sizes = "unknown rank" if value.sizes is None else f"sizes {', '.join(map(str, value.sizes))}"
            cause = f"the shape of input {value.name} is not fixed ({sizes})"
            raise bench.error(Stage.INSPECT, cause, advice=SHAPES_ADVICE)
        shapes.append(value.shape)
    return tuple(shapes)
