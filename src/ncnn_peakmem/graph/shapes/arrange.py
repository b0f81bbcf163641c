"""Layers that only move numbers about: joining, cutting, reordering, resizing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from ctypes import c_float
from itertools import permutations

from ncnn_peakmem.graph.shapes.rule import (
    AXES,
    Rule,
    Shapes,
    axis_of,
    elements,
    integers,
    made,
    no_expression,
    number,
    of_dims,
    one,
    refuse,
    taken,
    written,
)
from ncnn_peakmem.network import Shape
from ncnn_peakmem.param_file import Layer

_WHOLE = -233
"""Stands for "all that is left" in sizes, and for "not given" in Reshape's."""

_RESHAPE_IDS = {"w": 0, "h": 1, "c": 2, "d": 11}
"""In the order in which leaving one out ends the list of sizes."""
_SQUEEZE_IDS = {"w": 0, "h": 1, "d": 11, "c": 2}
_CROP_IDS = {"w": (0, 3, 6), "h": (1, 4, 7), "d": (13, 14, 15), "c": (2, 5, 8)}
"""Parameter ids of an axis's offset, size, and offset from its end."""
_PADDING_IDS = {"w": (2, 3), "h": (0, 1), "d": (7, 8)}


def concat(layer: Layer, bottoms: Shapes) -> Shapes:
    """Concat along one axis; all others must agree."""
    first = bottoms[0]
    axis = axis_of(layer.integer(0), len(first))
    for other in bottoms:
        if len(other) != len(first) or _without(other, axis) != _without(first, axis):
            refuse(f"cannot join {written(first)} and {written(other)} along axis {axis}")
    return (_with(first, axis, sum(bottom[axis] for bottom in bottoms)),)


def slice_(layer: Layer, bottoms: Shapes) -> Shapes:
    """Slice into as many tops as the layer names, by sizes or by indices."""
    whole = one(bottoms)
    axis = axis_of(layer.integer(1), len(whole))
    sizes, indices, count = integers(layer, 0), integers(layer, 2), len(layer.tops)
    if indices:
        if len(indices) < count - 1:
            refuse(f"has {len(indices)} indices for {count} tops")
        ends = [index % whole[axis] if index < 0 else index for index in indices[: count - 1]]
        parts = [end - start for start, end in zip([0, *ends], [*ends, whole[axis]], strict=True)]
    else:
        if len(sizes) < count:
            refuse(f"has {len(sizes)} sizes for {count} tops")
        parts = []
        for place, size in enumerate(sizes[:count]):
            rest = whole[axis] - sum(parts)
            parts.append(rest // (count - place) if size == _WHOLE else size)
    if sum(parts) > whole[axis]:
        refuse(f"cuts {sum(parts)} out of {whole[axis]}")
    return tuple(made(*_with(whole, axis, part)) for part in parts)


def crop(layer: Layer, bottoms: Shapes) -> Shapes:
    """Crop by offsets and sizes, as numpy slices do, or to the size of a second blob."""
    no_expression(layer, 19, 20, 21)
    if integers(layer, 9) and integers(layer, 10):
        return (_sliced(layer, one(bottoms)),)
    data = bottoms[0]
    sized = ("c", "d", "h", "w")
    if not any(layer.integer(param_id) for axis in sized for param_id in _CROP_IDS[axis][1:]):
        return (_cropped_like(layer, *taken(bottoms, 2)),)
    (data,) = taken(bottoms, 1)
    sizes = []
    for axis, size in zip(AXES[len(data)], data, strict=True):
        before, asked, after = (layer.integer(param_id) for param_id in _CROP_IDS[axis])
        left = size - before - after
        sizes.append(left if asked == _WHOLE else min(asked, left))
    return (made(*sizes),)


def _sliced(layer: Layer, data: Shape) -> Shape:
    starts, ends = integers(layer, 9), integers(layer, 10)
    axes = integers(layer, 11) or tuple(range(len(data)))
    if not len(starts) == len(ends) == len(axes):
        refuse(f"has {len(starts)} starts and {len(ends)} ends for {len(axes)} axes")
    sizes = list(data)
    for start, end, axis in zip(starts, ends, (axis_of(axis, len(data)) for axis in axes), strict=True):
        whole = data[axis]
        first = 0 if start == _WHOLE else start if start >= 0 else whole + start
        last = whole if end == _WHOLE else end if end > 0 else whole + end
        sizes[axis] = min(whole, last) - first
    return made(*sizes)


def _cropped_like(layer: Layer, data: Shape, reference: Shape) -> Shape:
    if layer.integer(0) == _WHOLE:
        refuse("takes its sizes from the numbers in a blob")
    named = dict(zip(AXES[len(reference)], reference, strict=True))
    sizes = [named.get(axis, 1) for axis in AXES[len(data)]]
    # Channels are cropped only to a reference that has them.
    if len(data) > 2 and len(reference) != len(data):
        sizes[0] = data[0]
    return made(*sizes)


def reshape(layer: Layer, bottoms: Shapes) -> Shapes:
    """Reshape; 0 keeps the size of the axis of that name, -1 is what is left."""
    no_expression(layer, 6)
    data = one(bottoms)
    if not {12, 13}.isdisjoint(layer.params):
        refuse("moves the batch to another axis")
    given = {axis: layer.integer(param_id, _WHOLE) for axis, param_id in _RESHAPE_IDS.items()}
    dims = next((place for place, axis in enumerate(_RESHAPE_IDS) if given[axis] == _WHOLE), len(given))
    if dims == 0:
        refuse("gives no sizes")
    named = dict(zip(AXES[len(data)], data, strict=True))
    sizes = [given[axis] or named.get(axis, 1) for axis in AXES[dims]]
    if sizes.count(-1) == 1:
        known = elements(tuple(size for size in sizes if size != -1))
        sizes[sizes.index(-1)] = elements(data) // known if known else 0
    if min(sizes) < 1 or elements(tuple(sizes)) != elements(data):
        refuse(f"cannot make {written(tuple(sizes))} of {written(data)}")
    return (tuple(sizes),)


def flatten(layer: Layer, bottoms: Shapes) -> Shapes:  # noqa: ARG001 - a rule
    """Flatten to a vector."""
    return ((elements(one(bottoms)),),)


def permute(layer: Layer, bottoms: Shapes) -> Shapes:
    """Permute: the orders are numbered as a dictionary would list them, outermost axis first."""
    data = one(bottoms)
    orders = list(permutations(data))
    order = layer.integer(0)
    if len(data) > 1 and not 0 <= order < len(orders):
        refuse(f"has no order {order} in a blob of {len(data)} dimensions")
    return (data if len(data) == 1 else orders[order],)


def pixel_shuffle(layer: Layer, bottoms: Shapes) -> Shapes:
    """PixelShuffle: channels become a larger picture."""
    c, h, w = one(bottoms, 3)
    factor = layer.integer(0, 1)
    if factor < 1 or c % factor**2:
        refuse(f"cannot part {c} channels by a factor of {factor}")
    return (made(c // factor**2, h * factor, w * factor),)


def reorg(layer: Layer, bottoms: Shapes) -> Shapes:
    """Reorg: squares of a picture become channels; what is left of them at its ends is lost."""
    c, h, w = one(bottoms, 3)
    factor = layer.integer(0, 1)
    if factor < 1:
        refuse(f"cannot cut a picture into squares of {factor}")
    return (made(c * factor**2, h // factor, w // factor),)


def padding(layer: Layer, bottoms: Shapes) -> Shapes:
    """Padding; in front and behind it is the depth that grows, or channels where there is no depth."""
    data = one(bottoms)
    added = {axis: sum(map(layer.integer, param_ids)) for axis, param_ids in _PADDING_IDS.items()}
    if len(data) == 3:
        added["c"] = added["d"]
    return (made(*(size + added.get(axis, 0) for axis, size in zip(AXES[len(data)], data, strict=True))),)


def interp(layer: Layer, bottoms: Shapes) -> Shapes:
    """Interp to given sizes, by factors, or to the size of a second blob."""
    no_expression(layer, 9)
    data = of_dims(bottoms[0], 1, 2, 3)
    if layer.integer(5):
        reference = taken(bottoms, 2)[1]
        out_h, out_w = (1, *reference)[-2:]
    else:
        taken(bottoms, 1)
        h, w = (1, 1) if len(data) == 1 else data[-2:]
        out_h, out_w = layer.integer(3), layer.integer(4)
        if out_h == 0 or out_w == 0:
            out_h, out_w = _scaled(h, number(layer, 1, 1.0)), _scaled(w, number(layer, 2, 1.0))
    if len(data) == 2:
        return (made(data[0], out_w),)
    return (made(data[0], out_h, out_w),)


def _scaled(size: int, factor: float) -> int:
    """As ncnn computes it, in single precision."""
    scaled = c_float(c_float(size).value * c_float(factor).value).value
    return int(scaled) if math.isfinite(scaled) else 0


def expand_dims(layer: Layer, bottoms: Shapes) -> Shapes:
    """ExpandDims by axes of the result."""
    data = one(bottoms)
    if any(layer.integer(param_id) for param_id in _SQUEEZE_IDS.values()):
        refuse("is written for an older ncnn, which newer ones read otherwise: convert the model again")
    axes = integers(layer, 3)
    dims = len(data) + len(axes)
    if dims > max(AXES):
        refuse(f"would make a blob of {dims} dimensions")
    added = {axis_of(axis, dims) for axis in axes}
    rest = iter(data)
    return (tuple(1 if axis in added else next(rest, 1) for axis in range(dims)),)


def squeeze(layer: Layer, bottoms: Shapes) -> Shapes:
    """Squeeze by axes, or by the names of axes; only those of size 1 go."""
    data = one(bottoms)
    if axes := integers(layer, 3):
        asked = {axis_of(axis, len(data)) for axis in axes}
    else:
        asked = {place for place, axis in enumerate(AXES[len(data)]) if layer.integer(_SQUEEZE_IDS[axis])}
    left = tuple(size for axis, size in enumerate(data) if axis not in asked or size != 1)
    return (left or (1,),)


def _with(shape: Shape, axis: int, size: int) -> Shape:
    return (*shape[:axis], size, *shape[axis + 1 :])


def _without(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], *shape[axis + 1 :])


RULES: Mapping[str, Rule] = {
    "Concat": concat,
    "Crop": crop,
    "ExpandDims": expand_dims,
    "Flatten": flatten,
    "Interp": interp,
    "Padding": padding,
    "Permute": permute,
    "PixelShuffle": pixel_shuffle,
    "Reorg": reorg,
    "Reshape": reshape,
    "Slice": slice_,
    "Squeeze": squeeze,
}
