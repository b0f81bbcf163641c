"""What every rule of shape inference is made of: its signature, its error, and typed readings of parameters.

Shapes are outermost first and without batch, as everywhere here: (w,), (h, w), (c, h, w) or (c, d, h, w).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NoReturn

from ncnn_peakmem.network import Shape
from ncnn_peakmem.param_file import Layer

Shapes = tuple[Shape, ...]
Rule = Callable[[Layer, Shapes], Shapes]
"""From a layer and the shapes of its bottoms to those of its tops; ShapeError where they cannot be told."""

AXES = {1: "w", 2: "hw", 3: "chw", 4: "cdhw"}
"""The names of a shape's axes, outermost first, by how many there are."""


# ncnn's sizes are int.
_MOST_SIZE = 2**31 - 1


class ShapeError(ValueError):
    """A shape that cannot be told, or a layer that cannot take its input; it does not name the layer."""


class Misfit(ShapeError):
    """A blob that does not fit a layer's weights: ncnn may run on it all the same, and computes nonsense."""


def refuse(why: str) -> NoReturn:
    """Raise ShapeError."""
    raise ShapeError(why)


def misfit(why: str) -> NoReturn:
    """Raise Misfit."""
    raise Misfit(why)


def is_possible(shape: Shape) -> bool:
    """Whether ncnn can have a blob of that shape."""
    return len(shape) in AXES and all(1 <= size <= _MOST_SIZE for size in shape)


def written(shape: Shape) -> str:
    """A shape for people: `3x224x224`."""
    return "x".join(map(str, shape))


def taken(bottoms: Shapes, count: int) -> Shapes:
    """Exactly `count` bottoms, or ShapeError."""
    if len(bottoms) != count:
        refuse(f"reads {len(bottoms)} blobs, not {count}")
    return bottoms


def one(bottoms: Shapes, *dims: int) -> Shape:
    """The only bottom, of so many dimensions as one of `dims` (any, if none is given), or ShapeError."""
    (shape,) = taken(bottoms, 1)
    return of_dims(shape, *dims)


def of_dims(shape: Shape, *dims: int) -> Shape:
    """The shape, if it has as many dimensions as one of `dims` (any, if none is given), or ShapeError."""
    if dims and len(shape) not in dims:
        wanted = " or ".join(map(str, dims))
        refuse(f"takes a blob of {wanted} dimensions, not {written(shape)}")
    return shape


def made(*sizes: int) -> Shape:
    """A top's shape, or ShapeError where nothing would be left of it."""
    if not is_possible(sizes):
        refuse(f"would make a blob of {written(sizes)}")
    return sizes


def integers(layer: Layer, param_id: int) -> tuple[int, ...]:
    """An array of integers, empty where the layer does not give it, or ShapeError."""
    value = layer.params.get(param_id, ())
    if not isinstance(value, tuple) or not all(isinstance(item, int) for item in value):
        refuse(f"parameter {param_id} is {value!r}, not an array of integers")
    return tuple(int(item) for item in value)


def number(layer: Layer, param_id: int, default: float) -> float:
    """A number, or ShapeError."""
    value = layer.params.get(param_id, default)
    if not isinstance(value, int | float):
        refuse(f"parameter {param_id} is {value!r}, not a number")
    return value


def no_expression(layer: Layer, *param_ids: int) -> None:
    """ShapeError if one of these parameters is given: they compute sizes while the network runs."""
    for param_id in param_ids:
        if layer.params.get(param_id, "") != "":
            refuse(f"computes sizes while it runs, by the expression {layer.params[param_id]!r}")


def axis_of(axis: int, dims: int) -> int:
    """An axis counted from the outermost; negative ones count from behind. ShapeError where there is none."""
    if not -dims <= axis < dims:
        refuse(f"has no axis {axis} in a blob of {dims} dimensions")
    return axis % dims


def elements(shape: Shape) -> int:
    """How many numbers a blob of that shape holds."""
    return math.prod(shape)
