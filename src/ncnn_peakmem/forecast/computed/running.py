"""What running a layer takes: bottoms packed otherwise, padded; tops; what the layer itself needs."""

from __future__ import annotations

from collections.abc import Sequence

from ncnn_peakmem.forecast import layout
from ncnn_peakmem.forecast.computed import convolution
from ncnn_peakmem.forecast.recipe import Ask, Give, LetGo, RunRecipe, RunStep
from ncnn_peakmem.forecast.setting import Setting
from ncnn_peakmem.graph.graph import Makes, Node
from ncnn_peakmem.graph.shapes.window import SLIDING, pooling_windows, windows
from ncnn_peakmem.network import Shape
from ncnn_peakmem.probe.layer_events import Pool


def recipe(node: Node, packs: Sequence[int], setting: Setting, *, shared: bool) -> RunRecipe:
    """The recipe of a layer whose bottoms come packed like this."""
    steps: list[RunStep] = []
    converted: list[int] = []
    read_packs = []
    for shape, before in zip(node.bottom_shapes, packs, strict=True):
        after = layout.read_pack(node, shape, before, setting)
        # A vector is the same bytes however it is packed.
        if after != before and len(shape) > 1:
            converted.append(len(steps))
            steps.append(_blob(shape, after, setting))
        read_packs.append(after)
    made_packs = [layout.made_pack(node, shape, setting) for shape in node.top_shapes]
    stays = node.makes is Makes.SAME or (node.makes is Makes.IN_PLACE and setting.light and not shared)
    if stays or (node.makes is Makes.IN_PLACE and setting.light and converted):
        # Where it was packed otherwise, what was made of it is the top.
        return RunRecipe((*steps, LetGo()))
    steps += _own(node, read_packs, made_packs, len(steps), setting)
    return RunRecipe((*steps, LetGo(), *map(Give, converted)))


def _own(node: Node, read: Sequence[int], made: Sequence[int], first: int, setting: Setting) -> list[RunStep]:
    """Everything between the conversion of the bottoms and their release; blocks from `first` on."""
    tops = [_blob(shape, pack, setting) for shape, pack in zip(node.top_shapes, made, strict=True)]
    padded = _padded(node)
    if padded is not None:
        inside = _inside(node, (read[0], made[0]), first + 2, setting)
        return [
            Ask(Pool.WORKSPACE, layout.blob_bytes(padded, read[0], setting)),
            tops[0],
            *inside,
            Give(first),
        ]
    if node.type == "Concat" and min(read, default=1) < made[0]:
        return [tops[0], Ask(Pool.WORKSPACE, tops[0].bytes), Give(first + 1)]
    if node.type == "Slice" and any(pack != read[0] for pack in made):
        return [*tops, _blob(node.bottom_shapes[0], min(made), setting), Give(first + len(tops))]
    if node.type == "InnerProduct" and len(node.bottom_shapes[0]) == 3:
        flat = layout.array_bytes(4 * node.input, setting)
        return [Ask(Pool.WORKSPACE, flat), tops[0], Give(first)]
    return [*tops, *_inside(node, ((read or [1])[0], made[0]), first + len(tops), setting)]


def _inside(node: Node, packs: tuple[int, int], first: int, setting: Setting) -> list[RunStep]:
    # One whose weights are a blob is another matter.
    if node.type == "Convolution" and len(node.top_shapes[0]) == 3 and node.layer.integer(6):
        return convolution.workspace(node, packs, first, setting)
    return []


def _padded(node: Node) -> Shape | None:
    """The bottom with its padding, which is another blob; None without any."""
    if node.type in SLIDING and len(node.bottom_shapes[0]) == 3:
        channels, *sizes = node.bottom_shapes[0]
        around = []
        for size, out, window in zip(sizes, node.top_shapes[0][1:], windows(node.layer), strict=True):
            if window.before < 0:
                around.append(max((out - 1) * window.stride + window.extent, size))
            else:
                around.append(size + window.before + window.after)
        return None if around == sizes else (channels, *around)
    if node.type == "Pooling" and not node.layer.integer(4) and not node.layer.integer(7):
        return _padded_for_pooling(node)
    return None


def _padded_for_pooling(node: Node) -> Shape | None:
    channels, *sizes = node.bottom_shapes[0]
    around = []
    for size, window in zip(sizes, pooling_windows(node.layer), strict=True):
        padded = size + window.before + window.after
        rest = (padded - window.extent) % window.stride
        # In this mode the last window may hang over, and what it hangs over is padded too.
        hanging = window.stride - rest if node.layer.integer(5) == 0 and rest else 0
        around.append(padded + hanging)
    return None if around == sizes else (channels, *around)


def _blob(shape: Shape, pack: int, setting: Setting) -> Ask:
    return Ask(Pool.BLOB, layout.blob_bytes(shape, pack, setting))
