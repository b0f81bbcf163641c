"""The built-in networks by name."""

from __future__ import annotations

import hashlib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import ModelProto

# The family's file by the network's name, which is also the name of the function that lays it out.
_FAMILIES = {
    "vgg16": "vgg",
    "alexnet": "alexnet",
    "googlenet": "googlenet",
    "resnet18": "resnet",
    "resnet50": "resnet",
    "densenet161": "densenet",
    "shufflenet_v2": "shufflenet",
    "mobilenet_v1": "mobilenet",
    "mobilenet_v2": "mobilenet",
}

TOPOLOGIES = tuple(_FAMILIES)


def build(name: str, seed: int = 0) -> ModelProto:
    """Build a network: `data` 1x3x224x224 float32 in, `output` 1x1000 float32 out, opset 17, no dropout.

    The same name and seed give the same bytes. Raises ValueError if there is no such network.
    """
    family = import_module(f"{__package__}.{_family(name)}")
    from ncnn_peakmem.networks.builder import Builder

    net = Builder(name, seed)
    return net.model(getattr(family, name)(net))


def source_digest(name: str) -> str:
    """Give the sha256 (hex) of the source that `build(name)` runs: the builder's files and the family's."""
    folder = Path(__file__).parent
    files = (folder / f"{module}.py" for module in ("interface", "builder", _family(name)))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _family(name: str) -> str:
    try:
        return _FAMILIES[name]
    except KeyError:
        raise ValueError(f"unknown network {name!r}, expected one of: {', '.join(TOPOLOGIES)}") from None
