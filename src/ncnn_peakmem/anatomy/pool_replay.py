"""What the peak would be if a layer asked its pools for less: ncnn's policy, replayed on what was traced.

From ncnn's `allocator.cpp`, as extractors set it up: a request takes the first free block that is large
enough. Where none is, malloc is asked, and the smallest free block is let go if there are ten or more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ncnn_peakmem.anatomy.heap_block import OVERREAD_BYTES, Place
from ncnn_peakmem.probe.layer_events import Asked, Freed, GivenBack, Pool, Stretch, Taken

_DROP_FROM = 10


@dataclass(frozen=True, slots=True)
class Replay:
    """The highest point of a replay, and the event at which the pools had last grown by then."""

    peak: int
    place: Place


class _Pool:
    """Sizes of blocks in use by request, and of free ones in the order in which they came back."""

    def __init__(self) -> None:
        self.held = 0
        self._free: list[int] = []
        self._used: dict[int, int] = {}

    def ask(self, address: int, size: int) -> None:
        fitting = next((place for place, free in enumerate(self._free) if free >= size), None)
        if fitting is not None:
            self._used[address] = self._free.pop(fitting)
            return
        if len(self._free) >= _DROP_FROM:
            smallest = min(self._free)
            self._free.remove(smallest)
            self.held -= smallest + OVERREAD_BYTES
        self._used[address] = size
        self.held += size + OVERREAD_BYTES

    def give_back(self, address: int) -> None:
        if address in self._used:
            self._free.append(self._used.pop(address))


def replay(stretches: Sequence[Stretch], skip: Callable[[Asked], bool] = lambda _: False) -> Replay:
    """The stepped run's heap with pools of ours, of which the requests to `skip` are not made.

    Without a `skip` the peak is the traced one, unless ncnn's policy is not the one written here.
    """
    pools = {pool: _Pool() for pool in Pool}
    unpooled: dict[int, int] = {}
    held, grown, best = 0, (0, 0), Replay(0, (0, 0))
    for number, stretch in enumerate(stretches):
        for index, event in enumerate(stretch.events):
            match event:
                case Taken(address, size) if not _is_for_pool(stretch, index):
                    unpooled[address] = size
                    held += size
                case Freed(address):
                    held -= unpooled.pop(address, 0)
                case Asked(pool, _, address, size) if not skip(event):
                    before = pools[pool].held
                    pools[pool].ask(address, size)
                    grown = (number, index) if pools[pool].held > before else grown
                case GivenBack(pool, address):
                    pools[pool].give_back(address)
            total = held + sum(pool.held for pool in pools.values())
            if total > best.peak:
                best = Replay(total, grown)
    return best


def _is_for_pool(stretch: Stretch, index: int) -> bool:
    """Whether a pool took the block that was just taken: then the request follows at once."""
    match stretch.events[index : index + 2]:
        case (Taken(taken), Asked(address=asked)):
            return taken == asked
    return False
