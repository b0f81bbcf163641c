"""A network as ncnn runs it: layers in the order of execution, with the shapes of all blobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ncnn_peakmem import param_file
from ncnn_peakmem.graph import shapes, weights
from ncnn_peakmem.graph.handing_on import is_handed_on
from ncnn_peakmem.graph.in_place import works_in_place
from ncnn_peakmem.graph.shapes import ShapeError
from ncnn_peakmem.network import InputBlob, ModelFiles, Shape
from ncnn_peakmem.param_file import Layer, ParameterError

_INPUT = "Input"


class GraphError(ValueError):
    """A network whose shapes cannot be told; the message names the layer, its type and its line in a file."""


class Makes(StrEnum):
    """What a layer's tops are made of."""

    NEW = "new"
    """Memory of their own."""
    IN_PLACE = "in_place"
    """The bottom's, which is written over: in light mode, and if no other layer still reads it."""
    SAME = "same"
    """The bottom's, unchanged: another name for the same bytes."""


@dataclass(frozen=True, slots=True)
class Node:
    """A layer in its place in a network. `weights` and `bias` count numbers, not bytes."""

    layer: Layer
    bottom_shapes: tuple[Shape, ...]
    top_shapes: tuple[Shape, ...]
    makes: Makes
    weights: int
    bias: int

    @property
    def name(self) -> str:
        """The layer's name in the `.param`."""
        return self.layer.name

    @property
    def type(self) -> str:
        """ncnn's name of what the layer does."""
        return self.layer.type

    @property
    def bottoms(self) -> tuple[str, ...]:
        """The blobs it reads."""
        return self.layer.bottoms

    @property
    def tops(self) -> tuple[str, ...]:
        """The blobs it makes."""
        return self.layer.tops

    @property
    def input(self) -> int:
        """How many numbers it reads, from all bottoms."""
        return sum(map(shapes.elements, self.bottom_shapes))

    @property
    def output(self) -> int:
        """How many numbers its tops hold."""
        return sum(map(shapes.elements, self.top_shapes))


@dataclass(frozen=True, slots=True)
class Graph:
    """The layers that run, in the order in which they do; Input layers, which do nothing, are left out.

    `shapes` has every blob that is given or made, outermost axis first.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    shapes: Mapping[str, Shape]

    def elements(self, blob: str) -> int:
        """How many numbers a blob holds."""
        return shapes.elements(self.shapes[blob])

    def producer(self, blob: str) -> Node | None:
        """The node that makes a blob; None for an input."""
        return next((node for node in self.nodes if blob in node.tops), None)

    def consumers(self, blob: str) -> tuple[Node, ...]:
        """The nodes that read a blob, in the order in which they run."""
        return tuple(node for node in self.nodes if blob in node.bottoms)

    @property
    def weights(self) -> int:
        """All weights, biases left out."""
        return sum(node.weights for node in self.nodes)

    @property
    def biases(self) -> int:
        """All biases."""
        return sum(node.bias for node in self.nodes)


def read(model: ModelFiles) -> Graph:
    """The graph of a model's `.param`. GraphError, or ParamFileError where the file is no network at all."""
    network = param_file.read(model.param)
    try:
        return build(network, model.inputs, model.outputs)
    except _LayerError as error:
        line = _line_of(model.param, network.layers.index(error.layer))
        raise GraphError(f"{model.param}:{line}: {error}") from error


def build(
    network: param_file.Graph, inputs: Iterable[InputBlob], outputs: Sequence[str] | None = None
) -> Graph:
    """The graph of a network for inputs of these shapes, up to these outputs (all, if None).

    GraphError names the layer whose shapes cannot be told.
    """
    known = {blob.name: blob.shape for blob in inputs}
    for blob, shape in known.items():
        if not shapes.is_possible(shape):
            raise GraphError(f"the input {blob!r} cannot be {shapes.written(shape)}")
    wanted = network.outputs() if outputs is None else tuple(outputs)
    nodes: list[Node] = []
    for layer in _in_order(network, wanted):
        if layer.type == _INPUT:
            for blob in (blob for blob in layer.tops if blob not in known):
                raise _LayerError(layer, f"is given no shape for its blob {blob!r}")
            continue
        node = _node(layer, tuple(known[blob] for blob in layer.bottoms))
        known.update(zip(node.tops, node.top_shapes, strict=True))
        nodes.append(node)
    used = {blob for node in nodes for blob in (*node.bottoms, *node.tops)}
    shapes_used = {blob: shape for blob, shape in known.items() if blob in used}
    return Graph(
        nodes=tuple(nodes),
        inputs=tuple(blob for blob in network.inputs() if blob in used),
        outputs=wanted,
        shapes=shapes_used,
    )


class _LayerError(GraphError):
    """A GraphError that knows its layer."""

    def __init__(self, layer: Layer, why: str) -> None:
        super().__init__(f"layer {layer.name!r} of type {layer.type} {why}")
        self.layer = layer


def _node(layer: Layer, bottom_shapes: tuple[Shape, ...]) -> Node:
    try:
        top_shapes = shapes.infer(layer, bottom_shapes)
        counted = weights.count(layer)
        makes = _makes(layer, bottom_shapes, top_shapes)
    except (ShapeError, ParameterError) as error:
        raise _LayerError(layer, str(error)) from error
    if min(counted) < 0:
        raise _LayerError(layer, f"announces {min(counted)} weights")
    return Node(layer, bottom_shapes, top_shapes, makes, counted.weights, counted.bias)


def _makes(layer: Layer, bottoms: tuple[Shape, ...], tops: tuple[Shape, ...]) -> Makes:
    if works_in_place(layer):
        return Makes.IN_PLACE
    if bottoms and is_handed_on(layer, bottoms[0], tops[0]):
        return Makes.SAME
    return Makes.NEW


def _in_order(network: param_file.Graph, outputs: Sequence[str]) -> Iterator[Layer]:
    """As ncnn's `forward_layer` recurses: a layer runs after the makers of its bottoms, taken in order."""
    makers = {blob: number for number, layer in enumerate(network.layers) for blob in layer.tops}
    done: set[int] = set()
    for output in outputs:
        if output not in makers:
            raise GraphError(f"no layer makes the output {output!r}")
        pending = [_Turn(network.layers, makers[output])]
        while pending:
            turn = pending[-1]
            maker = next((makers[blob] for blob in turn.bottoms if makers[blob] not in done), None)
            if turn.number not in done and maker is not None:
                pending.append(_Turn(network.layers, maker))
                continue
            pending.pop()
            if turn.number not in done:
                done.add(turn.number)
                yield network.layers[turn.number]


class _Turn:
    """A layer that waits for its bottoms, with those of them that were not looked at yet."""

    def __init__(self, layers: Sequence[Layer], number: int) -> None:
        self.number = number
        self.bottoms = iter(layers[number].bottoms)


def _line_of(path: Path, number: int) -> int:
    """The line of the layer of that number: one a line, after the first two that are not empty."""
    text = path.read_bytes().decode()
    lines = [line for line, words in enumerate(text.split("\n"), start=1) if words.strip()]
    return lines[number + 2]
