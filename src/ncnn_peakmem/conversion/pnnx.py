"""The pnnx converter: where its binary lies, how it is called, and what it tells of the network it made."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ncnn_peakmem.network import Shape

# Written down a second time in pyproject.toml, where a test compares it.
PINNED_VERSION = "20261020"
INSTALL = f"pip install --no-deps pnnx=={PINNED_VERSION}"

SETTINGS = {"fp16": 0}
"""What changes the files that pnnx writes, besides the network and its input shapes."""

_NO_BATCH = 233
_INPUT_LINE = re.compile(r'ex\.input\("([^"]+)", .*\bbatch_index=(\d{1,9})\)')
_OUTPUT_LINE = re.compile(r'ex\.extract\("([^"]+)"\)')


@dataclass(frozen=True, slots=True)
class Ends:
    """The ends of a converted network: inputs, each with its batch axis if it has one, and outputs."""

    inputs: dict[str, int | None]
    outputs: tuple[str, ...]


def version() -> str:
    """The installed version, or without any the pinned one, whose cached conversions stay usable."""
    try:
        return metadata.version("pnnx")
    except metadata.PackageNotFoundError:
        return PINNED_VERSION


def binary() -> Path | None:
    """The converter's binary, found without importing its package, which would import torch."""
    try:
        package = metadata.distribution("pnnx")
    except metadata.PackageNotFoundError:
        return None
    file = Path(str(package.locate_file("pnnx/pnnx")))
    return file if os.access(file, os.X_OK) else None


def command(
    program: Path, onnx: str, shapes: Sequence[Shape], param: str, weights: str, script: str
) -> list[str]:
    """The call that converts `onnx`; `script` becomes a Python file that runs the network."""
    input_shapes = ",".join(f"[{','.join(map(str, shape))}]" for shape in shapes)
    settings = [f"{name}={value}" for name, value in SETTINGS.items()]
    outputs = [f"ncnnparam={param}", f"ncnnbin={weights}", f"ncnnpy={script}"]
    unwanted = [f"{name}={os.devnull}" for name in ("pnnxparam", "pnnxbin", "pnnxpy", "pnnxonnx")]
    return [str(program), onnx, f"inputshape={input_shapes}", *settings, *outputs, *unwanted]


def ends(script: str) -> Ends:
    """Read the ends of the network from the Python that pnnx wrote: nothing else tells the batch axes."""
    axes = {name: int(axis) for name, axis in _INPUT_LINE.findall(script)}
    inputs = {name: None if axis == _NO_BATCH else axis for name, axis in axes.items()}
    return Ends(inputs, tuple(_OUTPUT_LINE.findall(script)))
