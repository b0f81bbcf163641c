"""An inference as a list of steps, which are the same in every loop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ncnn_peakmem import param_file
from ncnn_peakmem.forecast import layout
from ncnn_peakmem.forecast.cookbook import Cookbook
from ncnn_peakmem.forecast.holding import Holding
from ncnn_peakmem.forecast.prediction import NotForecast
from ncnn_peakmem.forecast.recipe import Ask, Give, LetGo
from ncnn_peakmem.graph.graph import Graph, Node
from ncnn_peakmem.probe.layer_events import Pool


@dataclass(frozen=True, slots=True)
class AskFor:
    """The layer of that number asks a pool (malloc if None) for a block, which gets a number."""

    pool: Pool | None
    bytes: int
    block: int
    layer: int


@dataclass(frozen=True, slots=True)
class GiveBack:
    """The block of that number is given back."""

    block: int


@dataclass(frozen=True, slots=True)
class Copy:
    """The caller is given a copy of what a layer has made, bytes of malloc's, and drops it at once."""

    bytes: int
    layer: int


Step = AskFor | GiveBack | Copy


@dataclass(frozen=True, slots=True)
class Plan:
    """One inference. `computed` has the numbers of the layers whose steps were computed."""

    steps: tuple[Step, ...]
    computed: frozenset[int]
    layers: frozenset[int]


def plan(network: param_file.Graph, graph: Graph, cookbook: Cookbook) -> Plan:
    """The steps of an inference of `graph`, which is the part of `network` that runs; or NotForecast."""
    if cookbook.setting.light:
        _refuse_two_readers(graph)
    return _Planner(network, graph, cookbook).plan()


def _refuse_two_readers(graph: Graph) -> None:
    """ncnn lets go of a blob with its first reader: what has several must come through a Split."""
    readers = Counter(blob for node in graph.nodes for blob in set(node.bottoms))
    for blob, count in readers.items():
        if count > 1:
            raise NotForecast(f"{count} layers read blob {blob!r}: in light mode it takes a Split")


class _Planner:
    def __init__(self, network: param_file.Graph, graph: Graph, cookbook: Cookbook) -> None:
        self.graph = graph
        self.cookbook = cookbook
        self.setting = cookbook.setting
        self.holding = Holding(graph.inputs)
        self.packs = dict.fromkeys(graph.inputs, 1)
        # ncnn numbers blobs as they are made in the file, and lets go of them in that order.
        self.blobs = [blob for layer in network.layers for blob in layer.tops]
        self.number = {blob: number for number, layer in enumerate(network.layers) for blob in layer.tops}
        self.blocks = 0
        self.computed: set[int] = set()
        self.active: set[int] = set()

    def plan(self) -> Plan:
        steps: list[Step] = []
        ahead = list(self.graph.outputs)
        for node in self.graph.nodes:
            steps += self._node(node)
            while ahead and ahead[0] in self.packs:
                steps += self._output(ahead.pop(0))
        steps += map(GiveBack, self.holding.end(self.blobs))
        return Plan(tuple(steps), frozenset(self.computed), frozenset(self.active))

    def _node(self, node: Node) -> Iterator[Step]:
        layer = self.number[node.tops[0]]
        shared = self.holding.is_shared(node)
        recipe, learned = self.cookbook.run(node, [self.packs[blob] for blob in node.bottoms], shared=shared)
        if recipe.asks:
            self.active.add(layer)
            if not learned:
                self.computed.add(layer)
        first = self.blocks
        self.blocks += len(recipe.asks)
        asked, let_go = first, False
        self.holding.make(node, tuple(first + number for number in recipe.kept))
        for step in recipe.steps:
            match step:
                case Ask(pool, size):
                    yield AskFor(pool, size, asked, layer)
                    asked += 1
                case Give(number):
                    yield GiveBack(first + number)
                case LetGo():
                    yield from self._let_go(node)
                    let_go = True
        if not let_go:
            yield from self._let_go(node)
        for blob, shape in zip(node.tops, node.top_shapes, strict=True):
            self.packs[blob] = layout.made_pack(node, shape, self.setting)

    def _let_go(self, node: Node) -> Iterator[Step]:
        if self.setting.light:
            yield from map(GiveBack, self.holding.let_go(node))

    def _output(self, blob: str) -> Iterator[Step]:
        """ncnn takes the elements apart, and copies what would else lie in its own pool."""
        shape, layer = self.graph.shapes[blob], self.number[blob]
        size = layout.blob_bytes(shape, 1, self.setting)
        apart = self.packs[blob] > 1 and len(shape) > 1
        if apart:
            yield AskFor(Pool.BLOB, size, self.blocks, layer)
        yield Copy(layout.malloced(size), layer)
        if apart:
            yield GiveBack(self.blocks)
            self.blocks += 1
