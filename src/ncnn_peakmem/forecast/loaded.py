"""What loading a network takes, step by step, and what it leaves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from ncnn_peakmem import param_file
from ncnn_peakmem.anatomy.loading import Role
from ncnn_peakmem.anatomy.part import Kind
from ncnn_peakmem.forecast import layout
from ncnn_peakmem.forecast.cookbook import Cookbook
from ncnn_peakmem.forecast.recipe import LoadRecipe, LoadStep, Take
from ncnn_peakmem.param_file import Layer

_Block = tuple[int, int]
"""A layer's number, and the block's among its own."""

_GRAPH = "the graph"
_KINDS = {
    Role.KEPT: Kind.WEIGHTS,
    Role.READ: Kind.WEIGHTS,
    Role.PACKED: Kind.WEIGHTS,
    Role.COPY: Kind.HELD_TWICE,
    Role.STRANGE: Kind.OTHER,
}


class Loading:
    """The whole of loading; shares are (layer's number, kind, bytes, note).

    `graph_bytes` are taken while the graph is read, `live` are held when all weights are packed.
    """

    def __init__(self, network: param_file.Graph, cookbook: Cookbook) -> None:
        recipes = [cookbook.load(layer) for layer in network.layers]
        taking = {number for number, (recipe, _) in enumerate(recipes) if recipe != LoadRecipe()}
        self.layers = frozenset(taking)
        self.computed = frozenset(number for number in taking if not recipes[number][1])
        self.graph_bytes = sum(_arrays(layer, cookbook) for layer in network.layers)
        self.peak = self.live = self.graph_bytes
        self.moment: int | None = None
        at = 0
        in_order = tuple(
            _in_order([recipe for recipe, _ in recipes], layer_by_layer=cookbook.setting.layer_by_layer)
        )
        books = _Books()
        for count, (layer, step) in enumerate(in_order, start=1):
            self.live += books.enter(layer, step)
            if self.live > self.peak:
                self.peak, self.moment, at = self.live, layer, count
        self.kept = self._shares(books.held)
        books = _Books()
        for layer, step in in_order[:at]:
            books.enter(layer, step)
        self.shares = self._shares(books.held)

    def _shares(self, held: Mapping[_Block, Take]) -> list[tuple[int | None, Kind, int, str]]:
        shares: list[tuple[int | None, Kind, int, str]] = [(None, Kind.OTHER, self.graph_bytes, _GRAPH)]
        packed = {layer for (layer, _), take in held.items() if take.role is Role.PACKED}
        for (layer, _), take in held.items():
            twice = take.role is Role.READ and layer in packed
            shares.append((layer, Kind.HELD_TWICE if twice else _KINDS[take.role], take.bytes, ""))
        return shares


class _Books:
    """The blocks that are held."""

    def __init__(self) -> None:
        self.held: dict[_Block, Take] = {}
        self._counts: Counter[int] = Counter()

    def enter(self, layer: int, step: LoadStep) -> int:
        """Do a step of a layer: by how many bytes more is held then."""
        if isinstance(step, Take):
            self.held[layer, self._counts[layer]] = step
            self._counts[layer] += 1
            return step.bytes
        return -self.held.pop((layer, step.number)).bytes


def _in_order(recipes: Iterable[LoadRecipe], *, layer_by_layer: bool) -> Iterator[tuple[int, LoadStep]]:
    """All steps as ncnn takes them, each with the number of its layer."""
    numbered = list(enumerate(recipes))
    if layer_by_layer:
        for layer, recipe in numbered:
            yield from ((layer, step) for step in (*recipe.read, *recipe.pack))
        return
    for layer, recipe in numbered:
        yield from ((layer, step) for step in recipe.read)
    for layer, recipe in numbered:
        yield from ((layer, step) for step in recipe.pack)


def _arrays(layer: Layer, cookbook: Cookbook) -> int:
    """Arrays among a layer's parameters are kept in blocks of their own."""
    return sum(
        layout.malloced(layout.array_bytes(4 * len(value), cookbook.setting))
        for value in layer.params.values()
        if isinstance(value, tuple)
    )
