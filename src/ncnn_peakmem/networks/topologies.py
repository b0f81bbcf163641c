"""The built-in networks by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from ncnn_peakmem.networks import source
from ncnn_peakmem.networks.interface import Input

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True, slots=True)
class _Topology:
    """The family's file, in which a function of the network's name lays it out, and its inputs by default."""

    family: str
    inputs: tuple[Input, ...] = (Input(),)


_CLASSIC = {
    "vgg16": _Topology("vgg"),
    "alexnet": _Topology("alexnet"),
    "googlenet": _Topology("googlenet"),
    "resnet18": _Topology("resnet"),
    "resnet50": _Topology("resnet"),
    "densenet161": _Topology("densenet"),
    "shufflenet_v2": _Topology("shufflenet"),
    "mobilenet_v1": _Topology("mobilenet"),
    "mobilenet_v2": _Topology("mobilenet"),
}
# What two blocks of GPT-2 have cached of 127 tokens, and what keeps the 128 of a prompt from looking ahead.
_CACHE = tuple(
    Input(f"past_{kind}_{block}", (1, 12, 127, 64)) for block in range(2) for kind in ("key", "value")
)
_MASK = Input("mask", (1, 1, 128, 128))
_TOPOLOGIES = {
    **_CLASSIC,
    "squeezenet_1_1": _Topology("squeezenet"),
    "mobilenet_v3_small": _Topology("mobilenet_v3"),
    "mobilenet_v3_large": _Topology("mobilenet_v3"),
    "efficientnet_b0": _Topology("efficientnet"),
    "yolox_nano": _Topology("yolox", (Input(shape=(1, 3, 416, 416)),)),
    "unet": _Topology("unet", (Input(shape=(1, 3, 256, 256)),)),
    "vit_tiny": _Topology("vit"),
    "gpt2_prompt": _Topology("gpt", (Input("tokens", (1, 128, 768)), _MASK)),
    "gpt2_step": _Topology("gpt", (Input("tokens", (1, 1, 768)), *_CACHE)),
}

CLASSIC = tuple(_CLASSIC)
"""The nine that classify an image of 224x224, which the published figures are about."""

TOPOLOGIES = tuple(_TOPOLOGIES)
"""All of them, in the order in which they are listed anywhere."""


def build(name: str, seed: int = 0, input_shapes: Sequence[tuple[int, ...]] = ()) -> ModelProto:
    """Build a network, with its own inputs or with inputs of these shapes: opset 17, no dropout.

    The same arguments give the same bytes. Raises ValueError if there is no such network, or if it cannot
    have such inputs.
    """
    ends = inputs(name, input_shapes)
    family = import_module(f"{__package__}.{_topology(name).family}")
    from ncnn_peakmem.networks.builder import Builder

    net = Builder(name, seed, ends)
    return net.model(getattr(family, name)(net))


def inputs(name: str, shapes: Sequence[tuple[int, ...]] = ()) -> tuple[Input, ...]:
    """Give a network's inputs, with their own shapes or with these.

    Raises ValueError if there is no such network, or if there are not as many inputs, or not of such ranks.
    """
    own = _topology(name).inputs
    if not shapes:
        return own
    if len(shapes) != len(own):
        raise ValueError(f"{name} has {len(own)} inputs, not {len(shapes)}")
    for end, shape in zip(own, shapes, strict=True):
        if len(shape) != len(end.shape) or min(shape) < 1:
            raise ValueError(f"the input {end.name} of {name} is like {list(end.shape)}, not {list(shape)}")
    return tuple(Input(end.name, tuple(shape)) for end, shape in zip(own, shapes, strict=True))


def source_digest(name: str) -> str:
    """Give the sha256 (hex) of the source that `build(name)` runs: all of it that lies in this package."""
    return source.digest("interface", "builder", _topology(name).family)


def _topology(name: str) -> _Topology:
    try:
        return _TOPOLOGIES[name]
    except KeyError:
        raise ValueError(f"unknown network {name!r}, expected one of: {', '.join(TOPOLOGIES)}") from None
