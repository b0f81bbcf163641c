"""What a layer's recipe depends on, as a text: layers with one key have one recipe."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from ncnn_peakmem.forecast.setting import Setting
from ncnn_peakmem.graph import weights
from ncnn_peakmem.graph.graph import Makes, Node
from ncnn_peakmem.graph.shapes import written
from ncnn_peakmem.graph.shapes.window import SLIDING, Window, windows
from ncnn_peakmem.param_file import Layer

# What tells of weights, which shapes tell as well, or of an activation, which takes nothing.
_BESIDE = {"InnerProduct": {1, 2, 9}, "BatchNorm": {0}, "Split": {0}}
_HALVED = frozenset({"InnerProduct"})
# Layers that never ask for something a thread; what they take is the same for any number of them.
_OF_ONE_THREAD = frozenset(
    {"BatchNorm", "BinaryOp", "Clip", "Concat", "Dropout", "Eltwise", "Flatten", "InnerProduct", "Pooling"}
    | {"ReLU", "Reshape", "ShuffleChannel", "Sigmoid", "Slice", "Softmax", "Split", "UnaryOp"}
)

# Of the flags that matter elsewhere, each is told where it is not as ncnn has it.
_OF_ALL = (("use_packing_layout", True), ("use_bf16_storage", False))
_OF_CONVOLUTIONS = (
    ("use_winograd_convolution", True),
    ("use_winograd23_convolution", True),
    ("use_winograd43_convolution", True),
    ("use_winograd63_convolution", True),
    ("use_sgemm_convolution", True),
)


def load_key(layer: Layer, setting: Setting) -> str:
    """What loading a layer depends on, such as `Convolution 64<32 3x3 w18432 b64 light`."""
    counted = weights.count(layer)
    words = [layer.type, *_parameters(layer, padded=False), f"w{counted.weights}", f"b{counted.bias}"]
    words.append("light" if setting.light else "heavy")
    if layer.type in _HALVED:
        words.append("half" if setting.half_weights else "single")
    return " ".join([*words, *_flags(layer, setting)])


def run_key(node: Node, packs: Sequence[int], setting: Setting, *, shared: bool) -> str:
    """What running a layer depends on, such as `Convolution 64 3x3 p1 32x56x56/16`.

    `packs` are those of its bottoms; `shared` tells whether others have its only bottom too, which matters
    where a layer works in place.
    """
    bottoms = [f"{written(shape)}/{pack}" for shape, pack in zip(node.bottom_shapes, packs, strict=True)]
    words = [node.type, *_parameters(node.layer, padded=True), *_counted(bottoms)]
    if node.top_shapes[:1] != node.bottom_shapes[:1]:
        words += ["->", *map(written, node.top_shapes)]
    if node.makes is Makes.IN_PLACE:
        words.append("heavy" if not setting.light else "shared" if shared else "own")
    return " ".join([*words, *_flags(node.layer, setting)])


def _counted(words: Sequence[str]) -> list[str]:
    """Like words that follow each other as one, with their number: dense blocks have dozens."""
    runs = [(word, len(list(alike))) for word, alike in groupby(words)]
    return [word if count == 1 else f"{count}*{word}" for word, count in runs]


def _parameters(layer: Layer, *, padded: bool) -> list[str]:
    if layer.type in SLIDING:
        return _sliding(layer, padded=padded)
    # Floats are no sizes, and what arrays say is in the shapes.
    beside = _BESIDE.get(layer.type, set())
    return [
        f"{number}={value}"
        for number, value in sorted(layer.params.items())
        if isinstance(value, int) and value and number not in beside
    ]


def _sliding(layer: Layer, *, padded: bool) -> list[str]:
    height, width = windows(layer)
    words = [str(layer.integer(0)), f"{height.kernel}x{width.kernel}"]
    group = layer.integer(7, 1)
    if group > 1:
        words.append(f"g{group}")
    if layer.integer(8):
        words.append(f"int8.{layer.integer(8)}")
    for letter, sizes, usual in (
        ("s", (height.stride, width.stride), (1, 1)),
        ("d", (height.dilation, width.dilation), (1, 1)),
        ("p", _paddings(height, width), (0, 0, 0, 0)),
    ):
        if sizes != usual and (padded or letter != "p"):
            words.append(letter + ("x".join(map(str, sizes)) if len(set(sizes)) > 1 else str(sizes[0])))
    return words


def _paddings(height: Window, width: Window) -> tuple[int, ...]:
    return height.before, height.after, width.before, width.after


def _flags(layer: Layer, setting: Setting) -> list[str]:
    flags = _OF_ALL + (_OF_CONVOLUTIONS if layer.type.startswith("Convolution") else ())
    threads = [f"t{setting.threads}"] if setting.threads > 1 and layer.type not in _OF_ONE_THREAD else []
    return threads + [
        f"{'' if setting.flag(name) else 'no-'}{name.removeprefix('use_')}"
        for name, usual in flags
        if setting.flag(name) != usual
    ]
