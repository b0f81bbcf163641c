"""Which layers become int8, and how many scales each takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ncnn_peakmem.conversion.quantization.error import QuantizationError
from ncnn_peakmem.param_file import Graph, Layer, ParamValue

CONVOLUTION, DEPTHWISE, INNER_PRODUCT, GEMM = "Convolution", "ConvolutionDepthWise", "InnerProduct", "Gemm"

_LEVELS = 127
_LEVELS_OF_WINOGRAD = 31
_INT8_TERM = {CONVOLUTION: 2, DEPTHWISE: 1, INNER_PRODUCT: 2}
_REQUANTIZE = 100
# Parameter ids that only some of these layers know.
_GROUPS, _INT8_SCALES, _PAD_VALUE, _DYNAMIC_WEIGHTS = 7, 8, 18, 19
_TRANSPOSED_B, _CONSTANT_A, _CONSTANT_B, _N, _K, _QUANTIZED = 3, 4, 5, 8, 9, 18


@dataclass(frozen=True, slots=True)
class Target:
    """A layer whose weights become int8, in `channels` parts of equal size with a scale each.

    `levels` is the largest integer a weight becomes. `bottom` is the blob it reads, told by the name that it
    has where it is made: a Split hands on what it is given.
    """

    layer: Layer
    bottom: str
    channels: int
    levels: int

    @property
    def is_calibrated(self) -> bool:
        """Whether its file holds a scale of what it reads; ncnn finds that of a Gemm anew in each run."""
        return self.layer.type != GEMM

    @property
    def is_convolution(self) -> bool:
        """Whether it can hand on integers, and read them."""
        return self.layer.type in {CONVOLUTION, DEPTHWISE}


def targets(graph: Graph, *, gemm: bool) -> tuple[Target, ...]:
    """The layers of a float graph that become int8, in its order; those of type Gemm only with `gemm`.

    Layers that get their weights as a blob stay as they are, and so do convolutions that pad with another
    value than zero: ncnn pads integers with it. Grouped convolutions stay too, except depthwise ones: since
    1.0.20250428 ncnn does not write what groups of 8 int8 channels give, and hands on what lay in memory.
    Raises QuantizationError where a layer is int8 already, or its sizes make no sense.
    """
    origin = origins(graph)
    found = []
    for layer in graph.layers:
        channels = _channels(layer, gemm=gemm)
        if channels is None:
            continue
        if layer.integer(_QUANTIZED if layer.type == GEMM else _INT8_SCALES):
            raise QuantizationError(f"layer {layer.name!r} is quantized already; give the float network")
        if channels <= 0:
            raise QuantizationError(f"layer {layer.name!r} has {channels} output channels")
        if layer.type == GEMM and min(layer.integer(_N), layer.integer(_K)) < 1:
            sizes = f"{layer.integer(_N)}x{layer.integer(_K)}"
            raise QuantizationError(f"layer {layer.name!r} multiplies by a matrix of {sizes}")
        found.append(Target(layer, origin[layer.bottoms[0]], channels, _levels(layer)))
    return tuple(found)


def origins(graph: Graph) -> Mapping[str, str]:
    """For each blob the one that it is the same as: what a Split makes is what it reads."""
    origin: dict[str, str] = {}
    for layer in graph.layers:
        for blob in layer.tops:
            origin[blob] = origin[layer.bottoms[0]] if layer.type == "Split" and layer.bottoms else blob
    return MappingProxyType(origin)


def quantized(target: Target, *, requantize: bool) -> Layer:
    """The layer's line once its weights are int8; with `requantize` it hands on integers."""
    layer = target.layer
    changed: dict[int, ParamValue] = dict(layer.params)
    if layer.type == GEMM:
        changed |= {_TRANSPOSED_B: 1, _QUANTIZED: 2}
    else:
        changed[_INT8_SCALES] = _INT8_TERM[layer.type] + (_REQUANTIZE if requantize else 0)
    ordered = dict(sorted(changed.items()))
    return Layer(layer.type, layer.name, layer.bottoms, layer.tops, ordered)


def _channels(layer: Layer, *, gemm: bool) -> int | None:
    """How many weight scales the layer takes; None if it stays as it is."""
    if len(layer.bottoms) != 1 or len(layer.tops) != 1:
        return 1 if gemm and _multiplies_by_weights(layer) else None
    if layer.type in {CONVOLUTION, DEPTHWISE}:
        if layer.integer(_DYNAMIC_WEIGHTS) or layer.params.get(_PAD_VALUE, 0):
            return None
        if layer.type == CONVOLUTION:
            return layer.integer(0)
        return layer.integer(_GROUPS, 1) if _is_depthwise(layer) else None
    if layer.type == INNER_PRODUCT:
        return layer.integer(0)
    return 1 if gemm and _multiplies_by_weights(layer) else None


def _multiplies_by_weights(layer: Layer) -> bool:
    """Whether this is the product of a blob with constant weights, and not of two constants."""
    return (
        layer.type == GEMM
        and bool(layer.bottoms)
        and layer.integer(_CONSTANT_B) == 1
        and layer.integer(_CONSTANT_A) == 0
    )


def _levels(layer: Layer) -> int:
    """Those that ncnn's int8 winograd does not overflow with, where a layer may be computed by it."""
    if layer.type != CONVOLUTION:
        return _LEVELS
    kernel, dilation, stride = (_square(layer, *ids) for ids in ((1, 11, 0), (2, 12, 1), (3, 13, 1)))
    fits = (kernel, dilation, stride) == ((3, 3), (1, 1), (1, 1))
    return _LEVELS_OF_WINOGRAD if fits else _LEVELS


def _square(layer: Layer, width_id: int, height_id: int, default: int) -> tuple[int, int]:
    width = layer.integer(width_id, default)
    return width, layer.integer(height_id, width)


def _is_depthwise(layer: Layer) -> bool:
    """Whether each channel is convolved by itself: one kernel a group."""
    kernel_width, kernel_height = _square(layer, 1, 11, 0)
    groups = layer.integer(_GROUPS, 1)
    return layer.integer(6) == kernel_width * kernel_height * groups and layer.integer(0) == groups
