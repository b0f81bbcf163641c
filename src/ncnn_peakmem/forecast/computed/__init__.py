"""Recipes of layers that were never traced, from the rules by which ncnn lays out, packs and pads.

They follow ncnn's sources for x86; on other processors they come close, and what is close is not exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ncnn_peakmem.anatomy.loading import Role
from ncnn_peakmem.forecast import layout
from ncnn_peakmem.forecast.computed import convolution, inner_product, kernel, running
from ncnn_peakmem.forecast.recipe import Give, LoadRecipe, LoadStep, RunRecipe, Take
from ncnn_peakmem.forecast.setting import Setting
from ncnn_peakmem.graph import weights
from ncnn_peakmem.graph.graph import Node
from ncnn_peakmem.param_file import Layer

_PACKED = {
    "Convolution": convolution.packed,
    "ConvolutionDepthWise": convolution.packed_depth_wise,
    "InnerProduct": inner_product.packed,
}
_NOTHING = frozenset({"Dropout", "Input", "Noop"})
_INT8 = frozenset({"Convolution", "ConvolutionDepthWise", "InnerProduct"})
# How many arrays of the same size a layer keeps, where it is not one of weights and one of biases.
_ARRAYS: Mapping[str, int] = {"BatchNorm": 6}


CHECKED = frozenset(
    {
        *(
            "BatchNorm",
            "BinaryOp",
            "Concat",
            "Convolution",
            "ConvolutionDepthWise",
            "Flatten",
            "InnerProduct",
        ),
        *("Pooling", "ReLU", "ShuffleChannel", "Slice", "Split"),
    }
)
"""Types of layers whose rules were checked against traces, to the byte, from ncnn 1.0.20221128 on."""


def doubts(layers: Iterable[Layer], setting: Setting) -> tuple[str, ...]:
    """In words, why what is computed of these layers in this setting may be far off."""
    layers = tuple(layers)
    found = []
    unchecked = sorted({layer.type for layer in layers} - CHECKED - _NOTHING)
    if unchecked:
        found.append(f"no rule was checked for layers of type {', '.join(unchecked)}")
    if any(layer.type == "ConvolutionDepthWise" and _is_grouped(layer) for layer in layers):
        found.append("convolutions in groups of several channels are computed as if they were depth-wise")
    if any(layer.type in _INT8 and layer.integer(8) for layer in layers):
        found.append("int8 layers are computed as if they were not")
    if setting.machine.architecture != "x86_64":
        found.append(f"the rules are those of x86_64, not of {setting.machine.architecture}")
    if setting.flag("use_bf16_storage"):
        found.append("bf16 storage is computed as if it were off")
    return tuple(found)


def _is_grouped(layer: Layer) -> bool:
    made, read, _ = kernel.sizes(layer)
    return not (read == 1 and layer.integer(7, 1) == made)


def load(layer: Layer, setting: Setting) -> LoadRecipe:
    """What loading a layer takes."""
    counted = weights.count(layer)
    if layer.type in _ARRAYS:
        count = _ARRAYS[layer.type]
        size = layout.malloced(layout.array_bytes(4 * counted.bias, setting))
        return LoadRecipe((Take(size, Role.READ), *[Take(size, Role.KEPT)] * (count - 1)))
    read: list[LoadStep] = [
        Take(layout.malloced(layout.array_bytes(4 * count, setting)), role)
        for count, role in ((counted.weights, Role.READ), (counted.bias, Role.KEPT))
        if count
    ]
    if not counted.weights or layer.type not in _PACKED:
        return LoadRecipe(tuple(read))
    pack, replaced = _PACKED[layer.type](layer, len(read), setting)
    if replaced and setting.light:
        pack.append(Give(0))
    return LoadRecipe(tuple(read), tuple(pack))


def run(node: Node, packs: Sequence[int], setting: Setting, *, shared: bool) -> RunRecipe:
    """What running a layer takes; `packs` and `shared` as in `run_key`."""
    return running.recipe(node, packs, setting, shared=shared)
