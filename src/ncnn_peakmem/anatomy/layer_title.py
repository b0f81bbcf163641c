"""What a layer does, in a few words."""

from __future__ import annotations

from ncnn_peakmem.graph.shapes.window import Window, pooling_windows, windows
from ncnn_peakmem.param_file import Layer

_CONVOLUTIONS = {
    "Convolution": "conv",
    "ConvolutionDepthWise": "conv",
    "Deconvolution": "deconv",
    "DeconvolutionDepthWise": "deconv",
}
_POOLS = ("max pool", "avg pool")


def title(layer: Layer) -> str:
    """Such as `conv 3x3 s2 3->32`, `dwconv 3x3 64`, `fc 1024->1000` or `max pool 3x3 s2`, else its type."""
    try:
        return _title(layer)
    except TypeError:
        # A parameter is no number where one belongs: ncnn would not run it, but it can be named.
        return layer.type


def _title(layer: Layer) -> str:
    if layer.type in _CONVOLUTIONS:
        return _convolution(layer)
    if layer.type == "InnerProduct":
        made = layer.integer(0)
        return f"fc {layer.integer(2) // made}->{made}" if made else "fc"
    if layer.type == "Pooling":
        kind = _POOLS[layer.integer(0) == 1]
        if layer.integer(4):
            return f"global {kind}"
        return f"{'adaptive ' if layer.integer(7) else ''}{kind}{_window(*pooling_windows(layer))}"
    return layer.type


def _convolution(layer: Layer) -> str:
    name, made, groups = _CONVOLUTIONS[layer.type], layer.integer(0), layer.integer(7, 1)
    height, width = windows(layer)
    kernel = height.kernel * width.kernel
    read = layer.integer(6) * groups // (made * kernel) if made and kernel else 0
    if groups > 1 and groups == read == made:
        return f"dw{name}{_window(height, width)} {made}"
    grouped = f" g{groups}" if groups > 1 else ""
    return f"{name}{_window(height, width)}{grouped} {read}->{made}"


def _window(height: Window, width: Window) -> str:
    """The kernel, and the stride where it is not 1."""
    if not width.kernel:
        return ""
    strides = {height.stride, width.stride}
    told = "" if strides == {1} else " s" + "x".join(map(str, sorted(strides, reverse=True)))
    return f" {height.kernel}x{width.kernel}{told}"
