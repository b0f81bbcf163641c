"""How many weights a layer's line in the `.param` announces; what `load_model` of its file in ncnn reads."""

from __future__ import annotations

from typing import NamedTuple

from ncnn_peakmem.model_bin import Kind, slots
from ncnn_peakmem.param_file import Layer


class Weights(NamedTuple):
    """Numbers, not bytes: those a layer multiplies with (or keeps), and those it adds."""

    weights: int = 0
    bias: int = 0


def count(layer: Layer) -> Weights:
    """The weights of a layer as its `.bin` holds them, without the scales of int8."""
    read = slots(layer)
    return Weights(
        *(sum(slot.count for slot in read if slot.kind is kind) for kind in (Kind.WEIGHT, Kind.BIAS))
    )
