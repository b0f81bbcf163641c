"""How ncnn lays out a blob: how many numbers in an element, and how many bytes in all."""

from __future__ import annotations

import math

from packaging.version import Version

from ncnn_peakmem.anatomy.heap_block import OVERREAD_BYTES
from ncnn_peakmem.forecast.setting import Setting
from ncnn_peakmem.graph.graph import Node
from ncnn_peakmem.network import Shape

_FLOAT_BYTES = 4
# A channel of a blob starts on a multiple of 16 bytes; behind the numbers is a reference count (src/mat.h).
_CHANNEL_UNIT, _COUNT_BYTES = 16, 4

# Since then channels are shuffled without taking packed elements apart.
_SHUFFLES_PACKED = Version("1.0.20231027")

_UNPACKED = frozenset(
    {
        "ArgMax",
        "CumulativeSum",
        "Einsum",
        "Embed",
        "Exp",
        "ExpandDims",
        "Input",
        "InstanceNorm",
        "LRN",
        "LSTM",
        "Log",
        "MVN",
        "MatMul",
        "MemoryData",
        "Normalize",
        "Permute",
        "PixelShuffle",
        "PriorBox",
        "Reduction",
        "Reorg",
        "Squeeze",
        "Tile",
    }
)
"""Layers that read and make blobs of single numbers: without `support_packing` in ncnn's `src/layer/`."""


def aligned(count: int, unit: int) -> int:
    """The next multiple of `unit`."""
    return -(-count // unit) * unit


def pack(shape: Shape, setting: Setting) -> int:
    """How many numbers of the outermost axis make an element where a layer packs."""
    if not setting.flag("use_packing_layout") or not shape:
        return 1
    return next((lanes for lanes in (16, 8, 4) if lanes <= setting.lanes and shape[0] % lanes == 0), 1)


def read_pack(node: Node, shape: Shape, before: int, setting: Setting) -> int:
    """What a layer has a bottom turned into: `before` is how it comes."""
    if node.type in _UNPACKED:
        return 1
    if node.type == "ShuffleChannel":
        return made_pack(node, shape, setting)
    return pack(shape, setting) if setting.flag("use_packing_layout") else before


def made_pack(node: Node, shape: Shape, setting: Setting) -> int:
    """How a layer packs what it makes."""
    packed = 1 if node.type in _UNPACKED else pack(shape, setting)
    if node.type == "ShuffleChannel" and setting.release < _SHUFFLES_PACKED:
        return packed if shape[0] // max(node.layer.integer(0, 1), 1) % packed == 0 else 1
    return packed


def blob_bytes(shape: Shape, packed: int, setting: Setting) -> int:
    """What a pool is asked for a blob of 4-byte numbers."""
    if len(shape) < 3:
        return array_bytes(math.prod(shape) * _FLOAT_BYTES, setting)
    channel = aligned(math.prod(shape[1:]) * packed * _FLOAT_BYTES, _CHANNEL_UNIT)
    return channel * (shape[0] // packed) + _COUNT_BYTES


def array_bytes(size: int, setting: Setting) -> int:
    """What is asked for `size` bytes that are not parted into channels."""
    return aligned(size, setting.flat_unit) + _COUNT_BYTES


def malloced(asked: int) -> int:
    """What malloc is asked where ncnn's allocators are asked for so much."""
    return asked + OVERREAD_BYTES
