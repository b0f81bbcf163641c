"""Layers that compute with whole blobs: products, reductions, sums of two, attention; and constants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ncnn_peakmem.graph.shapes.rule import (
    AXES,
    Rule,
    Shapes,
    axis_of,
    elements,
    integers,
    made,
    misfit,
    of_dims,
    one,
    refuse,
    taken,
    written,
)
from ncnn_peakmem.network import Shape
from ncnn_peakmem.param_file import Layer

_MEMORY_IDS = {"w": 0, "h": 1, "d": 11, "c": 2}
_BLOCK_QUANTIZED = 400
"""From this number on, Gemm's and attention's parameter 18 stands for weights packed by blocks."""


def inner_product(layer: Layer, bottoms: Shapes) -> Shapes:
    """InnerProduct over a vector, over each row of a matrix, or over all of a blob."""
    data = one(bottoms)
    filters, weights = layer.integer(0), layer.integer(2)
    if filters < 1 or weights % filters:
        refuse(f"cannot part {weights} weights into {filters} filters")
    length = weights // filters
    if len(data) == 2 and data[1] == length:
        return (made(data[0], filters),)
    if elements(data) != length:
        misfit(f"takes {length} numbers, and {written(data)} are {elements(data)}")
    return (made(filters),)


def binary_op(layer: Layer, bottoms: Shapes) -> Shapes:
    """BinaryOp with a number, or of two blobs, the smaller one repeated to fit."""
    if layer.integer(1):
        return (one(bottoms),)
    a, b = taken(bottoms, 2)
    dims = max(len(a), len(b))
    expanded_a, expanded_b = _expanded(a, b, dims), _expanded(b, a, dims)
    for one_size, other in zip(expanded_a, expanded_b, strict=True):
        if one_size != other and 1 not in (one_size, other):
            refuse(f"cannot fit {written(a)} to {written(b)}")
    return (tuple(map(max, expanded_a, expanded_b)),)


def _expanded(shape: Shape, other: Shape, dims: int) -> Shape:
    """Axes are added within; a vector lies along the outermost axis if it fits there, else the innermost."""
    if len(shape) == dims:
        return shape
    ones = (1,) * (dims - len(shape))
    return (*shape, *ones) if len(shape) > 1 or shape[0] == other[0] else (*ones, *shape)


def eltwise(layer: Layer, bottoms: Shapes) -> Shapes:  # noqa: ARG001 - a rule
    """Eltwise of blobs of one shape."""
    for other in bottoms[1:]:
        if other != bottoms[0]:
            refuse(f"cannot fit {written(bottoms[0])} to {written(other)}")
    return (bottoms[0],)


def reduction(layer: Layer, bottoms: Shapes) -> Shapes:
    """Reduction over all axes, or over some."""
    data = one(bottoms)
    if layer.integer(1, 1):
        reduced = set(range(len(data)))
    else:
        axes = integers(layer, 3)
        if axes and not layer.integer(5):
            refuse("is written for an older ncnn, which newer ones refuse: convert the model again")
        reduced = {axis_of(axis, len(data)) for axis in axes} if len(data) > 1 else {0}
    if layer.integer(4):
        return (tuple(1 if axis in reduced else size for axis, size in enumerate(data)),)
    return (tuple(size for axis, size in enumerate(data) if axis not in reduced) or (1,),)


class _Matrix(NamedTuple):
    """A matrix's rows and columns: what Gemm sees in a blob."""

    rows: int
    columns: int

    @property
    def transposed(self) -> _Matrix:
        return _Matrix(self.columns, self.rows)

    @staticmethod
    def of(shape: Shape) -> _Matrix:
        # Of three dimensions Gemm takes the outermost for rows, and expects one row in each.
        if len(shape) == 3 and shape[1] != 1:
            refuse(f"takes a matrix, not {written(shape)}")
        return _Matrix(1 if len(shape) == 1 else shape[0], of_dims(shape, 1, 2, 3)[-1])


def gemm(layer: Layer, bottoms: Shapes) -> Shapes:
    """Gemm: the product of two matrices, either of which may be a constant."""
    if layer.integer(18) >= _BLOCK_QUANTIZED:
        refuse("has weights packed by blocks")
    m, n, k = layer.integer(7), layer.integer(8), layer.integer(9)
    rest = iter(bottoms)
    a = _Matrix(m, k) if layer.integer(4) else _operand(rest, transposed=bool(layer.integer(2)))
    b = _Matrix(k, n) if layer.integer(5) else _operand(rest, transposed=bool(layer.integer(3)))
    if a.columns != b.rows:
        misfit(f"cannot multiply {written(a)} by {written(b)}")
    rows, columns = (b.columns, a.rows) if layer.integer(14) else (a.rows, b.columns)
    return (made(rows, 1, columns) if layer.integer(11) else made(rows, columns),)


def _operand(bottoms: Iterator[Shape], *, transposed: bool) -> _Matrix:
    shape = next(bottoms, None)
    if shape is None:
        refuse("lacks a matrix to multiply")
    matrix = _Matrix.of(shape)
    return matrix.transposed if transposed else matrix


def matmul(layer: Layer, bottoms: Shapes) -> Shapes:
    """MatMul as numpy knows it, the second operand transposed if asked for."""
    a, b = taken(bottoms, 2)
    if layer.integer(0) and len(b) > 1:
        b = (*b[:-2], b[-1], b[-2])
    left = (1, *a) if len(a) == 1 else a
    right = (*b, 1) if len(b) == 1 else b
    dims = max(len(left), len(right))
    if left[-1] != right[-2]:
        refuse(f"cannot multiply {written(a)} by {written(b)}")
    batches = zip(_batch(left, dims), _batch(right, dims), strict=True)
    sizes = []
    for one_size, other in batches:
        if one_size != other and 1 not in (one_size, other):
            refuse(f"cannot multiply {written(a)} by {written(b)}")
        sizes.append(max(one_size, other))
    rows = () if len(a) == 1 else (left[-2],)
    columns = () if len(b) == 1 else (right[-1],)
    return ((*sizes, *rows, *columns) or (1,),)


def _batch(shape: Shape, dims: int) -> Shape:
    return (1,) * (dims - len(shape)) + shape[:-2]


def multi_head_attention(layer: Layer, bottoms: Shapes) -> Shapes:
    """MultiHeadAttention: a row for each row of the query."""
    if layer.integer(7):
        refuse("keeps its keys and values from one inference to the next")
    if layer.integer(18) >= _BLOCK_QUANTIZED:
        refuse("has weights packed by blocks")
    embedding, weights = layer.integer(0), layer.integer(2)
    if embedding < 1 or weights % embedding:
        refuse(f"cannot part {weights} weights into {embedding} rows")
    rows, width = of_dims(bottoms[0], 2)
    if width != weights // embedding:
        refuse(f"takes rows of {weights // embedding}, not of {width}")
    return (made(rows, weights // embedding),)


def sdpa(layer: Layer, bottoms: Shapes) -> Shapes:
    """SDPA: a row for each row of the query; with a KV cache also the keys and the values, old and new."""
    if layer.integer(18) >= _BLOCK_QUANTIZED:
        refuse("has weights packed by blocks")
    masked, cached = bool(layer.integer(5)), bool(layer.integer(7))
    query, key, value, *rest = taken(bottoms, 3 + masked + 2 * cached)
    heads, rows, width = of_dims(query, 3)
    groups, tokens, size = of_dims(key, 3)
    if size != width or groups < 1 or heads % groups or of_dims(value, 3)[:2] != (groups, tokens):
        refuse(f"cannot attend from {written(query)} to {written(key)} and {written(value)}")
    mixed = made(heads, rows, value[2])
    if not cached:
        return (mixed,)
    past_key, past_value = (of_dims(past, 3) for past in rest[-2:])
    tokens += past_key[1]
    if past_key != (groups, tokens - key[1], size) or past_value != (*past_key[:2], value[2]):
        refuse(f"cannot add {written(key)} and {written(value)} to a cache of {written(past_key)}")
    return (mixed, made(groups, tokens, size), made(groups, tokens, value[2]))


def rotary_embed(_: Layer, bottoms: Shapes) -> Shapes:
    """RotaryEmbed: each row turned by angles whose cosines and sines come as blobs."""
    return (taken(bottoms, 3)[0],)


def embed(layer: Layer, bottoms: Shapes) -> Shapes:
    """Embed: a row for each word."""
    (words,) = one(bottoms, 1)
    return (made(words, layer.integer(0)),)


def memory_data(layer: Layer, bottoms: Shapes) -> Shapes:
    """MemoryData: a constant, of one number if it tells no sizes."""
    taken(bottoms, 0)
    named = {axis: layer.integer(param_id) for axis, param_id in _MEMORY_IDS.items()}
    dims = 4 if named["d"] else 3 if named["c"] else 2 if named["h"] else 1
    return (made(*(named[axis] for axis in AXES[dims])) if named["w"] else (1,),)


RULES: Mapping[str, Rule] = {
    "BinaryOp": binary_op,
    "Eltwise": eltwise,
    "Embed": embed,
    "Gemm": gemm,
    "InnerProduct": inner_product,
    "MatMul": matmul,
    "MemoryData": memory_data,
    "MultiHeadAttention": multi_head_attention,
    "Reduction": reduction,
    "RotaryEmbed": rotary_embed,
    "SDPA": sdpa,
}
