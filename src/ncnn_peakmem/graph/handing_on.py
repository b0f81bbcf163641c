"""Which of ncnn's layers take no memory for their top, because it is their bottom as it was."""

from __future__ import annotations

from ncnn_peakmem.graph.shapes import elements
from ncnn_peakmem.network import Shape
from ncnn_peakmem.param_file import Layer

# ncnn begins each channel of four-byte numbers on a multiple of 16 bytes (Mat::create in src/mat.cpp).
_STEP = 4


def is_handed_on(layer: Layer, before: Shape, after: Shape) -> bool:
    """Whether its top is its bottom by another name, of blobs that are not packed."""
    match layer.type:
        case "Split":
            return True
        case "Crop" | "Interp" | "Padding":
            return before == after
        case "Permute":
            return layer.integer(0) == 0
        case "Pooling":
            return layer.integer(7) == 1 and before == after
        case "Cast":
            return layer.integer(0) == layer.integer(1)
        case "Flatten":
            return len(before) == 1
        case "Reshape":
            return _has_same_channels(before, after) or (len(before) == 1 and len(after) <= 2)
        case "ExpandDims" | "Squeeze":
            return _has_same_channels(before, after) or not (_has_gaps(before) or _has_gaps(after))
        case _:
            return False


def _has_same_channels(before: Shape, after: Shape) -> bool:
    alike = len(before) == len(after) or min(len(before), len(after)) > 2
    return alike and before[0] == after[0]


def _has_gaps(shape: Shape) -> bool:
    """Whether its channels do not join without a gap."""
    return len(shape) > 2 and elements(shape[1:]) % _STEP != 0
