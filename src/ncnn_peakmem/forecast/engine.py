"""Goes through a network's life in memory as ncnn does, with recipes in place of layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from ncnn_peakmem import param_file
from ncnn_peakmem.anatomy.layer_title import title
from ncnn_peakmem.anatomy.part import Kind, Moment, Part, Split
from ncnn_peakmem.anatomy.pool_model import PoolBlock, PoolModel
from ncnn_peakmem.anatomy.share import OUTPUT_COPY
from ncnn_peakmem.forecast import computed, layout
from ncnn_peakmem.forecast.cookbook import Cookbook
from ncnn_peakmem.forecast.loaded import Loading
from ncnn_peakmem.forecast.plan import AskFor, GiveBack, Step, plan
from ncnn_peakmem.forecast.prediction import Basis, Forecast, NotForecast
from ncnn_peakmem.graph.graph import Graph
from ncnn_peakmem.measurement import Metric, Phase
from ncnn_peakmem.network import Loops
from ncnn_peakmem.probe.layer_events import Pool
from ncnn_peakmem.probe.plateau import Plateau

_Share = tuple[int | None, Kind, int, str]
"""A layer's number, what for, bytes, a note."""

_USED = {Pool.BLOB: Kind.LIVE_BLOB, Pool.WORKSPACE: Kind.WORKSPACE}
_UNPOOLED = "outside the pools"

# The nine networks take a million at most; so many take ten seconds.
_MOST_WORK = 10_000_000
# Looking at so many free blocks takes as long as a step does otherwise.
_BLOCKS_A_STEP = 64


def forecast(
    network: param_file.Graph, graph: Graph, cookbook: Cookbook, loops: Loops, notes: tuple[str, ...] = ()
) -> Forecast:
    """The heap of `network`, of which `graph` runs, from loading it to the end of its inferences.

    NotForecast where light mode cannot run it, and where it has more layers, or runs for more loops, than can
    be gone through in reasonable time.
    """
    loading = Loading(network, cookbook)
    inference = plan(network, graph, cookbook)
    inputs = [
        (layer, layout.malloced(layout.blob_bytes(graph.shapes[blob], 1, cookbook.setting)))
        for layer, blob in _inputs(network, graph)
    ]
    beside = [*loading.kept, *((layer, Kind.INPUT, size, "") for layer, size in inputs)]
    still = sum(size for _, _, size, _ in beside)
    run = _run(inference.steps, loops)
    highest = still + max(run.peaks)
    phases = {
        Phase.IMPORT: {Metric.PEAK: 0, Metric.LIVE: 0},
        Phase.LOAD_PARAM: {Metric.PEAK: loading.graph_bytes, Metric.LIVE: loading.graph_bytes},
        Phase.LOAD_MODEL: {Metric.PEAK: loading.peak, Metric.LIVE: loading.live},
        Phase.FIRST: {Metric.PEAK: still + run.peaks[0], Metric.LIVE: still + run.lives[0]},
    }
    if run.loops > 1:
        # A loop that was seen before is not gone through again.
        phases[Phase.STEADY] = {
            Metric.PEAK: still + max([run.lives[0], *run.peaks[1:]]),
            Metric.LIVE: still + run.lives[-1],
        }
    names = [layer.name for layer in network.layers]
    load = _split(
        network,
        loading.peak,
        Moment(Phase.LOAD_MODEL, None, *_named(network, loading.moment)),
        loading.shares,
    )
    peak, computed_bytes = load, _computed(loading.shares, loading.computed, inference.computed)
    if highest > loading.peak:
        loop, layer, taken = run.best
        shares = [*beside, *taken]
        phase = Phase.STEADY if loop else Phase.FIRST
        peak = _split(network, highest, Moment(phase, loop, *_named(network, layer)), shares)
        computed_bytes = _computed(shares, loading.computed, inference.computed)
    guessed = sorted(loading.computed | inference.computed)
    doubts = computed.doubts((network.layers[number] for number in guessed), cookbook.setting)
    return Forecast(
        phases=phases,
        loops=run.loops,
        settled_at=run.settled_at,
        growing=loops.growing(run.loops, run.settled_at),
        peak=peak,
        load=load,
        basis=Basis(
            layers=len(loading.layers | inference.layers),
            computed=tuple(names[number] for number in guessed),
            computed_bytes=computed_bytes,
            notes=notes,
            doubts=doubts,
        ),
    )


# Options that change weights alone, and most releases, leave this as it is.
@lru_cache(maxsize=64)
def _run(steps: tuple[Step, ...], loops: Loops) -> _Run:
    run = _Run(steps)
    run.loop_until_rest(loops)
    return run


class _Run:
    """Inferences one after the other, with the pools that live on between them; all else is left out."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.peaks: list[int] = []
        self.lives: list[int] = []
        self.loops = self.settled_at = 0
        self.best: tuple[int, int | None, list[_Share]] = (0, None, [])
        self._steps = steps
        self._pools = {pool: PoolModel() for pool in Pool}
        self._unpooled: dict[int, tuple[int, int]] = {}
        self._highest = 0
        self._work = 0
        self._last_taken: tuple[int, int | None, list[_Share]] = (0, None, [])

    def loop_until_rest(self, loops: Loops) -> None:
        """As gauge `heap` does; a loop that leaves the pools as an earlier one did ends the search."""
        plateau, seen = Plateau(), set[tuple[tuple[int, ...], ...]]()
        while plateau.loops < loops.needed(plateau.settled_at):
            self._loop(plateau.loops)
            plateau.look(self.peaks[-1], self.lives[-1])
            state = tuple(pool.free for pool in self._pools.values())
            self._take_on(len(self._steps) * (1 + sum(map(len, state)) // _BLOCKS_A_STEP))
            if state in seen:
                break
            seen.add(state)
        self.settled_at = plateau.settled_at
        self.loops = loops.needed(plateau.settled_at)

    def _loop(self, number: int) -> None:
        blocks: dict[int, tuple[PoolModel, PoolBlock]] = {}
        peak = self._held()
        # A network of many loops comes here a million times: hence no `match`.
        for step in self._steps:
            if isinstance(step, AskFor):
                if step.pool is None:
                    self._unpooled[step.block] = (step.layer, layout.malloced(step.bytes))
                    peak = max(peak, self._taken(number, step.layer))
                    continue
                model = self._pools[step.pool]
                moves = model.moves
                blocks[step.block] = (model, model.ask(step.bytes, step.layer))
                if model.moves != moves:
                    peak = max(peak, self._taken(number, step.layer))
            elif isinstance(step, GiveBack):
                if step.block in blocks:
                    model, given = blocks.pop(step.block)
                    model.give_back(given)
                else:
                    self._unpooled.pop(step.block, None)
            else:
                loop, at, shares = self._last_taken
                copied = (step.layer, Kind.LIVE_BLOB, step.bytes, OUTPUT_COPY)
                self._look(self._held() + step.bytes, loop, at, [*shares, copied])
                peak = max(peak, self._held() + step.bytes)
        self.peaks.append(peak)
        self.lives.append(self._held())

    def _held(self) -> int:
        unpooled = sum(size for _, size in self._unpooled.values())
        return unpooled + sum(pool.held for pool in self._pools.values())

    def _taken(self, loop: int, layer: int) -> int:
        """Malloc was asked: all shares as they are now."""
        shares = list(self._shares())
        self._take_on(len(shares))
        self._last_taken = (loop, layer, shares)
        self._look(self._held(), loop, layer, shares)
        return self._held()

    def _take_on(self, work: int) -> None:
        self._work += work
        if self._work > _MOST_WORK:
            raise NotForecast("a forecast of all its layers and loops would take too long")

    def _look(self, held: int, loop: int, layer: int | None, shares: list[_Share]) -> None:
        if held > self._highest:
            self._highest, self.best = held, (loop, layer, shares)

    def _shares(self) -> Iterator[_Share]:
        for layer, size in self._unpooled.values():
            yield layer, Kind.WORKSPACE, size, _UNPOOLED
        for pool, model in self._pools.items():
            for block in model.blocks:
                if block.user is not None:
                    yield block.user, _USED[pool], block.size - block.idle, ""
                if block.idle:
                    yield block.taken_for, Kind.IDLE_POOL, block.idle, ""


def _inputs(network: param_file.Graph, graph: Graph) -> Iterator[tuple[int, str]]:
    for number, layer in enumerate(network.layers):
        if layer.type == "Input":
            yield from ((number, blob) for blob in layer.tops if blob in graph.shapes)


def _named(network: param_file.Graph, layer: int | None) -> tuple[str, str]:
    return ("", "") if layer is None else (network.layers[layer].name, title(network.layers[layer]))


def _split(network: param_file.Graph, total: int, moment: Moment, shares: Iterable[_Share]) -> Split:
    parts: Counter[tuple[int | None, Kind, str]] = Counter()
    for layer, kind, size, note in shares:
        parts[layer, kind, note] += size
    ranked = sorted(parts.items(), key=lambda part: -part[1])
    return Split(
        total,
        moment,
        tuple(
            Part(*_named(network, layer), kind, size, note) for (layer, kind, note), size in ranked if size
        ),
    )


_OF_LOADING = frozenset({Kind.WEIGHTS, Kind.HELD_TWICE, Kind.OTHER})


def _computed(shares: Iterable[_Share], load: frozenset[int], run: frozenset[int]) -> int:
    """The bytes of layers whose recipes were computed."""
    return sum(size for layer, kind, size, _ in shares if layer in (load if kind in _OF_LOADING else run))
