"""What the peak would be if a layer asked its pools for less: ncnn's policy, replayed on what was traced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ncnn_peakmem.anatomy.heap_block import Place
from ncnn_peakmem.anatomy.pool_model import PoolBlock, PoolModel
from ncnn_peakmem.probe.layer_events import Asked, Freed, GivenBack, Pool, Stretch, Taken


@dataclass(frozen=True, slots=True)
class Replay:
    """The highest point of a replay, and the event at which the pools had last grown by then."""

    peak: int
    place: Place


def replay(stretches: Sequence[Stretch], skip: Callable[[Asked], bool] = lambda _: False) -> Replay:
    """The stepped run's heap with pools of ours, of which the requests to `skip` are not made.

    Without a `skip` the peak is the traced one, unless ncnn's policy is not the one written here.
    """
    pools = {pool: PoolModel() for pool in Pool}
    given: dict[tuple[Pool, int], PoolBlock] = {}
    unpooled: dict[int, int] = {}
    held, grown, best = 0, (0, 0), Replay(0, (0, 0))
    for number, stretch in enumerate(stretches):
        for index, event in enumerate(stretch.events):
            match event:
                case Taken(address, size) if not stretch.is_for_pool(index):
                    unpooled[address] = size
                    held += size
                case Freed(address):
                    held -= unpooled.pop(address, 0)
                case Asked(pool, layer, address, size) if not skip(event):
                    before = pools[pool].held
                    given[pool, address] = pools[pool].ask(size, layer)
                    grown = (number, index) if pools[pool].held > before else grown
                case GivenBack(pool, address) if (pool, address) in given:
                    pools[pool].give_back(given.pop((pool, address)))
            total = held + sum(pool.held for pool in pools.values())
            if total > best.peak:
                best = Replay(total, grown)
    return best
