"""Convolutions on x86 since 2023: one matrix product in tiles, Winograd's, or kernels that need nothing."""

from __future__ import annotations

from ncnn_peakmem.anatomy.loading import Role
from ncnn_peakmem.forecast import layout
from ncnn_peakmem.forecast.computed import early_convolution, era, tiles
from ncnn_peakmem.forecast.computed.kernel import is_three_by_three, sizes
from ncnn_peakmem.forecast.computed.pieces import pieces
from ncnn_peakmem.forecast.computed.winograd import Transform, transform
from ncnn_peakmem.forecast.recipe import Ask, Give, LoadStep, RunStep, Take
from ncnn_peakmem.forecast.setting import Setting
from ncnn_peakmem.graph.graph import Node
from ncnn_peakmem.graph.shapes.window import windows
from ncnn_peakmem.network import Shape
from ncnn_peakmem.param_file import Layer
from ncnn_peakmem.probe.layer_events import Pool

# Kernels for blobs that are packed so when they are read and made, by the points of the kernel.
_PAIRS = {9: {(16, 1), (8, 8), (1, 8), (8, 1), (1, 4)}, 4: {(8, 8)}}
_PAIRS_WITH_STRIDE = {(1, 8), (1, 4)}


def packed(layer: Layer, first: int, setting: Setting) -> tuple[list[LoadStep], bool]:
    """The steps of packing, blocks numbered from `first` on, and whether those as read are useless then."""
    if setting.release < era.TILED:
        return early_convolution.packed(layer, first, setting)
    made, read, _ = sizes(layer)
    chosen = _transform(layer, setting)
    steps: list[LoadStep] = []
    if chosen:
        tiling = tiles.winograd(made, 0, read, setting)
        area = tiling.m * tiling.k
        steps = [
            Take(_malloced((setting.threads, 1, chosen.points * area), setting), Role.COPY),
            Take(_malloced((tiling.rows, tiling.depths, chosen.points, area), setting), Role.PACKED),
            Give(first),
        ]
    elif _multiplies(layer, setting):
        steps = _packed_in_tiles(layer, first, setting)
    else:
        steps = _packed_as_it_is(layer, first, setting)
    return steps, True


def _packed_in_tiles(layer: Layer, first: int, setting: Setting) -> list[LoadStep]:
    """The weights in tiles; on the way there they are put in another order, if there is more than one."""
    made, read, points = sizes(layer)
    tiling = tiles.gemm(made, 0, read * points, setting)
    ready = Take(_malloced((tiling.rows, tiling.depths, tiling.k * tiling.m), setting), Role.PACKED)
    nested = setting.release < era.STRAIGHT
    if points == 1 and not nested:
        return [ready]
    steps: list[LoadStep] = [Take(_malloced((made, read * points), setting), Role.COPY)]
    if (read * points) % 4:
        steps = [Take(_malloced((made, read, points), setting), Role.COPY), *steps, Give(first)]
        first += 1
    # The layer inside keeps what it was given, as other layers do without light mode.
    return [*steps, ready, Give(first)] if setting.light or not nested else [*steps, ready]


def _packed_as_it_is(layer: Layer, first: int, setting: Setting) -> list[LoadStep]:
    """The weights of a kernel without workspace: as wide as registers allow, or for a pair of packings."""
    made, read, points = sizes(layer)
    packs = layout.pack((read,), setting), layout.pack((made,), setting)
    square = all(window.kernel**2 == points for window in windows(layer))
    if square and packs in _PAIRS.get(points, ()):
        strides = {(window.stride, window.dilation) for window in windows(layer)}
        if strides == {(1, 1)} or (strides == {(2, 1)} and packs in _PAIRS_WITH_STRIDE):
            return early_convolution.apart(made, read, points, first, setting)
    outer = _widths(made, setting)
    inner = _widths(read, setting)
    shape = (pieces(made, outer), pieces(read, inner), outer[0] * inner[0] * points)
    return [Take(_malloced(shape, setting), Role.PACKED)]


def _widths(count: int, setting: Setting) -> tuple[int, ...]:
    return tuple(width for width in (16, 8, 4, 2, 1) if width <= min(count, setting.lanes))


def packed_depth_wise(
    layer: Layer,
    first: int,  # noqa: ARG001 - as `packed`
    setting: Setting,
) -> tuple[list[LoadStep], bool]:
    """The same of a depth-wise convolution, which packs as many channels as fit a register."""
    made, _, points = sizes(layer)
    group = layer.integer(7, 1)
    if group == made and layout.pack((made,), setting) == 1:
        return [], False
    counted = layer.integer(6) if group != made else made * points
    return [Take(_malloced((counted,), setting), Role.PACKED)], True


def workspace(node: Node, packs: tuple[int, int], first: int, setting: Setting) -> list[RunStep]:
    """What a convolution asks for besides its padded input and its top, blocks numbered from `first` on."""
    if setting.release < era.TILED:
        return early_convolution.workspace(node, packs, first, setting)
    made, read, points = sizes(node.layer)
    _, out_h, out_w = node.top_shapes[0]
    chosen = _transform(node.layer, setting)
    if chosen:
        places = -(-out_h // chosen.step) * -(-out_w // chosen.step)
        tiling = tiles.winograd(made, places, read, setting)
        around = tiling.n * chosen.points
        # With fewer tiles than threads, all threads work on one.
        inputs = setting.threads if tiling.columns * tiling.depths >= setting.threads else 1
        return [
            _ask((tiling.columns, tiling.depths, chosen.points, tiling.k * tiling.n), setting),
            _ask((inputs, 1, around * tiling.k), setting),
            Give(first + 1),
            _ask((setting.threads, 1, around * tiling.m), setting),
            Give(first + 2),
            Give(first),
        ]
    if not _multiplies(node.layer, setting):
        return []
    tiling = tiles.gemm(made, out_h * out_w, read * points, setting)
    steps: list[RunStep] = []
    strided = any(window.stride > 1 for window in windows(node.layer))
    if setting.release < era.STRAIGHT and (points > 1 or strided):
        unrolled = (read * points // packs[0], out_h * out_w * packs[0])
        steps.append(Ask(Pool.WORKSPACE, _bytes(unrolled, setting)))
    steps.append(_ask((tiling.columns, tiling.depths, tiling.k * tiling.n), setting))
    if tiling.depths > 1:
        steps.append(_ask((setting.threads, 1, tiling.n * tiling.m), setting))
    return [*steps, *(Give(first + number) for number in reversed(range(len(steps))))]


def _transform(layer: Layer, setting: Setting) -> Transform | None:
    made, read, _ = sizes(layer)
    return transform(read, made, setting) if is_three_by_three(layer) else None


def _multiplies(layer: Layer, setting: Setting) -> bool:
    """Whether it runs as a matrix product."""
    made, read, points = sizes(layer)
    if points == 1:
        return True
    height, width = windows(layer)
    apart = height.dilation * width.dilation * height.stride * width.stride
    large = 8 * read * made * points * apart > setting.machine.l2_bytes_per_core
    return setting.flag("use_sgemm_convolution") and (large or max(read, made) > 16)


def _malloced(shape: Shape, setting: Setting) -> int:
    return layout.malloced(_bytes(shape, setting))


def _ask(shape: Shape, setting: Setting) -> Ask:
    """A request for tiles."""
    pool = Pool.WORKSPACE if setting.release >= era.IN_WORKSPACE else Pool.BLOB
    return Ask(pool, _bytes(shape, setting))


def _bytes(shape: Shape, setting: Setting) -> int:
    return layout.blob_bytes(shape, 1, setting)
