"""Convolutions on x86 before 2023: kernels for each pair of packings, im2col beside its permuted copy."""

from __future__ import annotations

from ncnn_peakmem.anatomy.loading import Role
from ncnn_peakmem.forecast import layout
from ncnn_peakmem.forecast.computed.kernel import is_three_by_three, sizes
from ncnn_peakmem.forecast.computed.pieces import pieces
from ncnn_peakmem.forecast.computed.winograd import Transform, early_transform
from ncnn_peakmem.forecast.recipe import Ask, Give, LoadStep, RunStep, Take
from ncnn_peakmem.forecast.setting import Setting
from ncnn_peakmem.graph.graph import Node
from ncnn_peakmem.graph.shapes.window import windows
from ncnn_peakmem.network import Shape
from ncnn_peakmem.param_file import Layer
from ncnn_peakmem.probe.layer_events import Pool

_ALL = (12, 8, 4, 2, 1)
# By the packing of what is read and made: how many columns are taken together, from most to least.
_COLUMNS = {
    (16, 16): _ALL,
    (16, 1): (16, 8, 1),
    (8, 16): (8, 1),
    (8, 8): _ALL,
    (8, 1): (8, 1),
    (4, 16): (16, 1),
    (4, 8): (8, 1),
    (4, 4): _ALL,
    (4, 1): (12, 8, 4, 1),
}
_OTHER_COLUMNS = (8, 4, 1)
# Likewise how many filters are packed together, where that is not as many as are made in one element.
_FILTERS = {
    (16, 8): (16, 8),
    (16, 4): (16, 8, 4),
    (16, 1): (8, 1),
    (8, 4): (8, 4),
    (8, 1): (8, 1),
    (4, 1): (4, 1),
    (1, 1): (8, 4, 1),
}
_DIRECT = frozenset({(1, 8), (1, 4)})


def packed(layer: Layer, first: int, setting: Setting) -> tuple[list[LoadStep], bool]:
    """As `convolution.packed`."""
    made, read, points = sizes(layer)
    packs = layout.pack((read,), setting), layout.pack((made,), setting)
    chosen = _transform(layer, packs, setting)
    if chosen:
        kernels = _malloced((made, read, chosen.points), setting)
        filters = pieces(made, _FILTERS.get(packs, (packs[1],)))
        width = _FILTERS.get(packs, (packs[1],))[0]
        ready = _malloced((filters, chosen.points, width * read), setting)
        return [Take(kernels, Role.COPY), Take(ready, Role.PACKED), Give(first)], True
    if _is_direct(layer, packs) or not _multiplies(layer, packs, setting):
        return apart(made, read, points, first, setting), True
    widths = _FILTERS.get(packs, (packs[1],))
    return apart(made, read, points, first, setting, (pieces(made, widths), read, widths[0] * points)), True


def apart(
    made: int, read: int, points: int, first: int, setting: Setting, ready: Shape | None = None
) -> list[LoadStep]:
    """Weights in channels of their own, and packed from there; `ready` is their shape then, if another."""
    result = Take(_malloced(ready or (made * read * points,), setting), Role.PACKED)
    if read * points % 4:
        return [Take(_malloced((made, read, points), setting), Role.COPY), result, Give(first)]
    return [result]


def workspace(node: Node, packs: tuple[int, int], first: int, setting: Setting) -> list[RunStep]:
    """As `convolution.workspace`."""
    made, read, points = sizes(node.layer)
    _, out_h, out_w = node.top_shapes[0]
    chosen = _transform(node.layer, packs, setting)
    if chosen:
        return _winograd(chosen, (made, read), (out_h, out_w), packs, first, setting)
    if _is_direct(node.layer, packs) or not _multiplies(node.layer, packs, setting):
        return []
    size = out_h * out_w
    permuted = _permuted(size, points, read, packs, setting)
    strides = {window.stride for window in windows(node.layer)}
    if points == 1 and strides == {1}:
        return [permuted, Give(first)]
    columns = _ask((read, points, size), packs[0], setting)
    return [columns, permuted, Give(first + 1), Give(first)]


def _winograd(
    chosen: Transform,
    channels: tuple[int, int],
    out: tuple[int, int],
    packs: tuple[int, int],
    first: int,
    setting: Setting,
) -> list[RunStep]:
    """Input with a margin, transformed, permuted; output transformed, with a margin."""
    made, read = channels
    across = [-(-size // chosen.step) for size in out]
    places = across[0] * across[1]
    whole = tuple(chosen.step * count for count in across)
    margin = whole != out
    steps: list[RunStep] = []
    number = first
    if margin:
        bordered = layout.blob_bytes((read, whole[0] + 2, whole[1] + 2), packs[0], setting)
        steps.append(Ask(Pool.BLOB, bordered))
        number += 1
    steps.append(_ask((read, chosen.points, places), packs[0], setting))
    if margin:
        steps.append(Give(first))
    widths = _columns(packs, places)
    permuted = (chosen.points * packs[0], pieces(places, widths), widths[0] * (read // packs[0]))
    steps += [_ask(permuted, packs[0], setting), Give(number)]
    steps += [_ask((made, chosen.points, places), packs[1], setting), Give(number + 1)]
    if margin:
        steps += [_ask((made, *whole), packs[1], setting), Give(number + 3)]
    return [*steps, Give(number + 2)]


def _permuted(size: int, points: int, read: int, packs: tuple[int, int], setting: Setting) -> Ask:
    widths = _columns(packs, size)
    shape = (pieces(size, widths) * packs[0], read // packs[0], widths[0] * points)
    return _ask(shape, packs[0], setting)


def _columns(packs: tuple[int, int], size: int) -> tuple[int, ...]:
    widths = _COLUMNS.get(packs, _OTHER_COLUMNS)
    return tuple(width for width in widths if width <= size) or (1,)


def _transform(layer: Layer, packs: tuple[int, int], setting: Setting) -> Transform | None:
    if not is_three_by_three(layer):
        return None
    made, read, _ = sizes(layer)
    return early_transform(read, made, packs, setting)


def _is_direct(layer: Layer, packs: tuple[int, int]) -> bool:
    """Whether there is a kernel of its own for it, 3x3 of single numbers."""
    return packs in _DIRECT and all(
        (window.kernel, window.dilation) == (3, 1) and window.stride <= 2 for window in windows(layer)
    )


def _multiplies(layer: Layer, packs: tuple[int, int], setting: Setting) -> bool:
    made, read, points = sizes(layer)
    if points == 1:
        return True
    few = max(packs) <= 4 and max(made, read) < 12
    return setting.flag("use_sgemm_convolution") and not few


def _ask(shape: Shape, pack: int, setting: Setting) -> Ask:
    return Ask(Pool.WORKSPACE, layout.blob_bytes(shape, pack, setting))


def _malloced(shape: Shape, setting: Setting) -> int:
    return layout.malloced(layout.blob_bytes(shape, 1, setting))
