"""The kernel of a convolution, as its parameters have it."""

from __future__ import annotations

from ncnn_peakmem.graph.shapes.window import windows
from ncnn_peakmem.param_file import Layer


def sizes(layer: Layer) -> tuple[int, int, int]:
    """Channels made, channels read by each of them, and points of the kernel."""
    height, width = windows(layer)
    made, points = layer.integer(0), height.kernel * width.kernel
    return made, layer.integer(6) // max(made * points, 1), points


def is_three_by_three(layer: Layer) -> bool:
    """Whether the kernel is 3x3, without stride or dilation."""
    return all((window.kernel, window.stride, window.dilation) == (3, 1, 1) for window in windows(layer))
