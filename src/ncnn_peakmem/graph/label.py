"""A layer in a few words, as papers write them: `conv 3x3x3x32 s2`, `dw 3x3x64`, `fc 1024x1000`."""

from __future__ import annotations

from ncnn_peakmem.graph.graph import Node
from ncnn_peakmem.graph.shapes.window import pooling_windows, windows

_OPERATIONS = ("add", "sub", "mul", "div", "max", "min", "pow")
_ADD = 0


def label(node: Node) -> str:
    """What the layer does, with the sizes that its weights have; otherwise its type."""
    match node.type:
        case "Convolution" | "ConvolutionDepthWise" | "Deconvolution" | "DeconvolutionDepthWise":
            return _convolution(node)
        case "InnerProduct":
            filters = node.layer.integer(0)
            return f"fc {node.weights // filters}x{filters}"
        case "Pooling":
            return _pooling(node)
        case "BinaryOp" if 0 <= node.layer.integer(0) < len(_OPERATIONS):
            return _OPERATIONS[node.layer.integer(0)]
        case _:
            return node.type


def is_addition(node: Node) -> bool:
    """Whether the layer adds two blobs or more of one shape."""
    adds = node.type == "BinaryOp" and node.layer.integer(0) == _ADD
    sums = node.type == "Eltwise" and node.layer.integer(0) == 1
    return (adds or sums) and len(node.bottoms) > 1 and len(set(node.bottom_shapes)) == 1


def is_depth_wise(node: Node) -> bool:
    """Whether the layer is a convolution that filters each channel by itself."""
    return node.type == "ConvolutionDepthWise" and node.layer.integer(7, 1) == node.bottom_shapes[0][0]


def _convolution(node: Node) -> str:
    height, width = windows(node.layer)
    filters, channels = node.layer.integer(0), node.bottom_shapes[0][0]
    group = node.layer.integer(7, 1) if "DepthWise" in node.type else 1
    name = "deconv" if node.type.startswith("De") else "conv"
    sizes = f"{height.kernel}x{width.kernel}x{channels // group}x{filters}"
    if is_depth_wise(node):
        name, sizes = "dw", f"{height.kernel}x{width.kernel}x{filters}"
    grouped = f" g{group}" if 1 < group < channels else ""
    return f"{name} {sizes}{grouped}{_strided(height.stride, width.stride)}"


def _pooling(node: Node) -> str:
    layer = node.layer
    name = "avg pool" if layer.integer(0) else "max pool"
    if layer.integer(4) or layer.integer(7):
        _, h, w = node.bottom_shapes[0]
        return f"{name} {h}x{w}"
    height, width = pooling_windows(layer)
    return f"{name} {height.kernel}x{width.kernel}{_strided(height.stride, width.stride)}"


def _strided(height: int, width: int) -> str:
    if height == width:
        return f" s{width}" if width > 1 else ""
    return f" s{height}x{width}"
