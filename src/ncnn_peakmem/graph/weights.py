"""How many weights a layer's line in the `.param` announces; what `load_model` of its file in ncnn reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from ncnn_peakmem.param_file import Layer


class Weights(NamedTuple):
    """Numbers, not bytes: those a layer multiplies with (or keeps), and those it adds."""

    weights: int = 0
    bias: int = 0


def count(layer: Layer) -> Weights:
    """The weights of a layer as its `.bin` holds them, without the scales of int8."""
    rule = _RULES.get(layer.type)
    return rule(layer) if rule else Weights()


def _convolution(layer: Layer) -> Weights:
    return Weights(layer.integer(6), _if(layer, 5, layer.integer(0))) if not layer.integer(19) else Weights()


def _deconvolution(layer: Layer) -> Weights:
    return Weights(layer.integer(6), _if(layer, 5, layer.integer(0))) if not layer.integer(28) else Weights()


def _inner_product(layer: Layer) -> Weights:
    return Weights(layer.integer(2), _if(layer, 1, layer.integer(0)))


def _embed(layer: Layer) -> Weights:
    return Weights(layer.integer(3), _if(layer, 2, layer.integer(0)))


def _batch_norm(layer: Layer) -> Weights:
    """Slope, mean and variance of each channel, and a bias."""
    return Weights(3 * layer.integer(0), layer.integer(0))


def _layer_norm(layer: Layer) -> Weights:
    size = _if(layer, 2, layer.integer(0), default=1)
    return Weights(size, size)


def _rms_norm(layer: Layer) -> Weights:
    return Weights(_if(layer, 2, layer.integer(0), default=1))


def _group_norm(layer: Layer) -> Weights:
    size = _if(layer, 3, layer.integer(1), default=1)
    return Weights(size, size)


def _scale(layer: Layer) -> Weights:
    """Factors that come as a blob are another layer's."""
    factors = layer.integer(0)
    return Weights(factors, _if(layer, 1, factors)) if factors > 0 else Weights()


def _gemm(layer: Layer) -> Weights:
    m, n, k = layer.integer(7), layer.integer(8), layer.integer(9)
    added = {0: 1, 1: m, 2: m, 3: m * n, 4: n}.get(layer.integer(10), 0)
    return Weights(_if(layer, 4, m * k) + _if(layer, 5, n * k), _if(layer, 6, added))


def _attention(layer: Layer) -> Weights:
    """Query, key, value and output; the first three biases are of one size."""
    embedding = layer.integer(0)
    query = layer.integer(2) // embedding if embedding else 0
    key, value = layer.integer(3, embedding), layer.integer(4, embedding)
    return Weights(embedding * (2 * query + key + value), 3 * embedding + query)


def _memory_data(layer: Layer) -> Weights:
    sizes = [layer.integer(param_id) for param_id in (0, 1, 11, 2)]
    return Weights(math.prod(size for size in sizes if size))


def _if(layer: Layer, flag: int, size: int, default: int = 0) -> int:
    return size if layer.integer(flag, default) else 0


_RULES: Mapping[str, Callable[[Layer], Weights]] = {
    "BatchNorm": _batch_norm,
    "Bias": lambda layer: Weights(bias=layer.integer(0)),
    "Convolution": _convolution,
    "Convolution1D": _convolution,
    "ConvolutionDepthWise": _convolution,
    "ConvolutionDepthWise1D": _convolution,
    "Deconvolution": _deconvolution,
    "DeconvolutionDepthWise": _deconvolution,
    "Embed": _embed,
    "Gemm": _gemm,
    "GroupNorm": _group_norm,
    "InnerProduct": _inner_product,
    # Its parameters are in LayerNorm's places.
    "InstanceNorm": _layer_norm,
    "LayerNorm": _layer_norm,
    "MemoryData": _memory_data,
    "MultiHeadAttention": _attention,
    "Normalize": lambda layer: Weights(layer.integer(3)),
    "PReLU": lambda layer: Weights(layer.integer(0)),
    "Padding": lambda layer: Weights(bias=layer.integer(6)),
    "RMSNorm": _rms_norm,
    "Scale": _scale,
}
