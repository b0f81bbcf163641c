"""Recipes of a network's layers, from a trace of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ncnn_peakmem import param_file
from ncnn_peakmem.anatomy.heap_block import HeapBlock, Place, heap_blocks
from ncnn_peakmem.anatomy.loading import Role, loading
from ncnn_peakmem.forecast import layout
from ncnn_peakmem.forecast.holding import Holding
from ncnn_peakmem.forecast.key import load_key, run_key
from ncnn_peakmem.forecast.recipe import Ask, Give, LetGo, LoadRecipe, LoadStep, RunRecipe, RunStep, Take
from ncnn_peakmem.forecast.setting import Setting
from ncnn_peakmem.graph.graph import Graph, Node
from ncnn_peakmem.probe.layer_events import (
    Asked,
    Entered,
    Event,
    Extracted,
    Freed,
    GivenBack,
    LayerTrace,
    Loaded,
    Stretch,
    Taken,
)


class NotLearned(ValueError):
    """A trace that recipes cannot be taken from; the text says why."""


def load_recipes(trace: LayerTrace, network: param_file.Graph, setting: Setting) -> dict[str, LoadRecipe]:
    """What loading each layer takes, by `load_key`; layers that take nothing are left out."""
    number = next(
        (number for number, stretch in enumerate(trace.stepped) if stretch.command == "load_model"), None
    )
    if number is None:
        raise NotLearned(f"the network could not be loaded in steps: {trace.trouble}")
    stretch = trace.stepped[number]
    blocks = {block.taken: block for block in heap_blocks(trace.stepped)}
    told = loading(stretch, number, blocks.values(), network.layers)
    packing = next(
        (index for index, event in enumerate(stretch.events) if isinstance(event, Loaded)),
        len(stretch.events),
    )
    first_pack = 0 if setting.layer_by_layer else packing
    recipes: dict[str, LoadRecipe] = {}
    for layer in sorted({load.layer for load in told.loads.values()}):
        own = {place: load.role for place, load in told.loads.items() if load.layer == layer}
        key = load_key(network.layers[layer], setting)
        recipes.setdefault(key, _load_recipe(own, blocks, (number, first_pack)))
    return recipes


def _load_recipe(own: Mapping[Place, Role], blocks: Mapping[Place, HeapBlock], packing: Place) -> LoadRecipe:
    order = sorted(own)
    moves: list[tuple[Place, LoadStep]] = [(place, Take(blocks[place].size, own[place])) for place in order]
    for number, place in enumerate(order):
        freed = blocks[place].freed
        if freed is not None and freed[0] == place[0]:
            moves.append((freed, Give(number)))
    moves.sort(key=lambda move: move[0])
    return LoadRecipe(
        tuple(step for place, step in moves if place < packing),
        tuple(step for place, step in moves if place >= packing),
    )


def run_recipes(
    trace: LayerTrace, graph: Graph, network: param_file.Graph, setting: Setting
) -> dict[str, RunRecipe]:
    """What running each layer takes, by `run_key`, from the last inference of the stepped run."""
    inferences = [stretch for stretch in trace.stepped if stretch.loop is not None]
    if trace.trouble or not inferences:
        raise NotLearned(f"the network could not be run in steps: {trace.trouble or 'no inference'}")
    by_top = {node.tops[0]: node for node in graph.nodes}
    holding = Holding(graph.inputs)
    packs = dict.fromkeys(graph.inputs, 1)
    recipes: dict[str, RunRecipe] = {}
    for layer, events in _by_layer(inferences[-1]):
        node = by_top[network.layers[layer].tops[0]]
        recipe = _run_recipe(events, node, graph, setting)
        key = run_key(node, [packs[blob] for blob in node.bottoms], setting, shared=holding.is_shared(node))
        known = recipes.get(key)
        # Where others still hold the bottom, the trace does not show when it is let go of.
        if known is None or LetGo() not in known.steps:
            recipes[key] = recipe
        holding.make(node, tuple(1000 * layer + number for number in recipe.kept))
        if setting.light:
            holding.let_go(node)
        packs.update(
            (blob, layout.made_pack(node, shape, setting))
            for blob, shape in zip(node.tops, node.top_shapes, strict=True)
        )
    return recipes


def _by_layer(stretch: Stretch) -> Iterator[tuple[int, list[Event]]]:
    layer, events = None, list[Event]()
    for index, event in enumerate(stretch.events):
        if isinstance(event, Entered | Extracted):
            if layer is not None:
                yield layer, events
            layer, events = (event.layer if isinstance(event, Entered) else None), []
        elif not stretch.is_for_pool(index):
            events.append(event)


def _run_recipe(events: Sequence[Event], node: Node, graph: Graph, setting: Setting) -> RunRecipe:
    steps: list[RunStep] = []
    numbers: dict[int, int] = {}
    asked = 0
    for event in events:
        match event:
            case Taken(address, size):
                numbers[address], asked = asked, asked + 1
                steps.append(Ask(None, size))
            case Asked(pool, _, address, size):
                numbers[address], asked = asked, asked + 1
                steps.append(Ask(pool, size))
            case Freed(address) | GivenBack(address=address) if address in numbers:
                steps.append(Give(numbers.pop(address)))
            case GivenBack() if LetGo() not in steps:
                steps.append(LetGo())
    if any(blob in graph.outputs and _is_taken_apart(node, blob, setting) for blob in node.tops):
        # An output with its elements taken apart is the caller's, and no layer's.
        last = max(place for place, step in enumerate(steps) if isinstance(step, Ask))
        del steps[last]
    return RunRecipe(tuple(steps))


def _is_taken_apart(node: Node, blob: str, setting: Setting) -> bool:
    shape = node.top_shapes[node.tops.index(blob)]
    return len(shape) > 1 and layout.made_pack(node, shape, setting) > 1
