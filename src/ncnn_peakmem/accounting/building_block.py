"""Building blocks: what lies between the tensor that enters and the one that leaves, as papers draw them.

Two kinds are found. A *residual* block: layers whose branches part at one tensor and meet in an addition. An
*inverted residual*, with or without that addition (Sandler et al., MobileNetV2, 2018): a depth-wise
convolution, the 1x1 convolution before it that widens its input, if there is one, and the 1x1 convolution
without activation after it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ncnn_peakmem.graph.graph import Graph, Makes, Node
from ncnn_peakmem.graph.label import is_addition, is_depth_wise
from ncnn_peakmem.graph.shapes.window import windows

_OUTSIDE = -1
"""Stands for what is before the first layer, among numbers of nodes."""

# Of the layers that work in place these are linear: a neighbouring convolution could do what they do.
_LINEAR = frozenset({"BatchNorm", "Bias", "Dropout", "Noop", "Scale"})


@dataclass(frozen=True, slots=True)
class BuildingBlock:
    """The blob that enters a block, and the numbers of its nodes; `shortcut` if it ends in an addition."""

    entry: str
    nodes: frozenset[int]
    shortcut: bool


def building_blocks(graph: Graph) -> tuple[BuildingBlock, ...]:
    """The blocks of a network, in the order of their last layers; they may be nested."""
    flow = _Flow(graph)
    found = [flow.residual(number) or flow.inverted(number) for number in range(len(graph.nodes))]
    return tuple(block for block in found if block)


def owners(graph: Graph) -> dict[str, str]:
    """For each blob the one whose bytes it is a name of: itself, but for what Split and its like hand on."""
    owner = {blob: blob for blob in graph.shapes}
    for node in graph.nodes:
        if node.makes is Makes.SAME:
            owner.update((top, owner[node.bottoms[0]]) for top in node.tops)
    return owner


class _Flow:
    """A network's nodes by number, with who feeds whom and where all ways to a node meet."""

    def __init__(self, graph: Graph) -> None:
        self.nodes = graph.nodes
        self.owner = owners(graph)
        self.maker = {blob: number for number, node in enumerate(self.nodes) for blob in node.tops}
        self.readers: dict[str, list[int]] = {}
        self.feeders: list[tuple[int, ...]] = []
        self.dominator: list[int] = []
        constant: set[int] = set()
        for number, node in enumerate(self.nodes):
            for blob in node.bottoms:
                self.readers.setdefault(blob, []).append(number)
            feeders = tuple(dict.fromkeys(self.maker.get(blob, _OUTSIDE) for blob in node.bottoms))
            # Constants come from nowhere: they are no other way from the input to here.
            self.feeders.append(tuple(feeder for feeder in feeders if feeder not in constant))
            if not self.feeders[-1]:
                constant.add(number)
            self.dominator.append(self._common(self.feeders[-1]))

    def residual(self, end: int) -> BuildingBlock | None:
        """The residual block that ends in this node."""
        start = self.dominator[end]
        if not is_addition(self.nodes[end]) or start == _OUTSIDE:
            return None
        entries = {self.owner[blob] for blob in self.nodes[start].tops}
        if len(entries) > 1:
            return None
        members, pending = {end}, [end]
        while pending:
            fresh = {*self.feeders[pending.pop()]} - members - {start}
            members |= fresh
            pending.extend(fresh)
        return BuildingBlock(entries.pop(), frozenset(members), shortcut=True)

    def inverted(self, end: int) -> BuildingBlock | None:
        """The inverted residual whose narrowing 1x1 convolution is this node."""
        if not self._is_pointwise(end) or self._is_activated(end):
            return None
        middle, inner = self._before(end)
        if middle is None or not is_depth_wise(self.nodes[middle]):
            return None
        first, outer = self._before(middle)
        if first is not None and self._is_pointwise(first) and self._widens(self.nodes[first]):
            members = {first, *outer, middle, *inner, end}
            entry = self.nodes[first].bottoms[0]
        else:
            members, entry = {middle, *inner, end}, self.nodes[middle].bottoms[0]
        return BuildingBlock(self.owner[entry], frozenset(members), shortcut=False)

    def _before(self, number: int) -> tuple[int | None, list[int]]:
        """The node whose result this one alone reads, and the nodes in between that work in place."""
        between: list[int] = []
        while True:
            blob = self.nodes[number].bottoms[0]
            maker = self.maker.get(blob)
            if maker is None or len(self.readers[blob]) > 1:
                return None, between
            if self.nodes[maker].makes is not Makes.IN_PLACE:
                return maker, between
            between.append(maker)
            number = maker

    def _is_pointwise(self, number: int) -> bool:
        node = self.nodes[number]
        return node.type == "Convolution" and all(window.kernel == 1 for window in windows(node.layer))

    def _is_activated(self, number: int) -> bool:
        """Whether the node, or a layer in place after it, bends what it makes."""
        if self.nodes[number].layer.integer(9):
            return True
        readers = self.readers.get(self.nodes[number].tops[0], [])
        if len(readers) != 1 or self.nodes[readers[0]].makes is not Makes.IN_PLACE:
            return False
        return self.nodes[readers[0]].type not in _LINEAR or self._is_activated(readers[0])

    @staticmethod
    def _widens(node: Node) -> bool:
        return node.top_shapes[0][0] > node.bottom_shapes[0][0]

    def _common(self, numbers: tuple[int, ...]) -> int:
        """The last node that every way to these nodes passes, one of themselves if need be."""
        common, *others = numbers or (_OUTSIDE,)
        for other in others:
            while common != other:
                if common > other:
                    common = self.dominator[common]
                else:
                    other = self.dominator[other]
        return common
