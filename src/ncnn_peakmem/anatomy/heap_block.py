"""The blocks that malloc gave, with their lifetimes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ncnn_peakmem.probe.layer_events import Freed, Stretch, Taken

Place = tuple[int, int]
"""An event: the number of its stretch, and its number there."""

OVERREAD_BYTES = 64
"""What ncnn asks of malloc beyond its need, so that kernels may read over the end (src/allocator.h)."""


@dataclass(frozen=True, slots=True)
class HeapBlock:
    """A block of `size` bytes; `freed` is None where it outlived the recording."""

    size: int
    taken: Place
    freed: Place | None

    def alive(self, place: Place) -> bool:
        """Whether it is held once that event has happened."""
        return self.taken <= place and (self.freed is None or place < self.freed)


def heap_blocks(stretches: Sequence[Stretch]) -> tuple[HeapBlock, ...]:
    """All blocks, in the order in which they were taken."""
    held: dict[int, tuple[Place, int]] = {}
    ended: dict[Place, HeapBlock] = {}
    for number, stretch in enumerate(stretches):
        for index, event in enumerate(stretch.events):
            if isinstance(event, Taken):
                held[event.address] = ((number, index), event.size)
            elif isinstance(event, Freed) and event.address in held:
                taken, size = held.pop(event.address)
                ended[taken] = HeapBlock(size, taken, (number, index))
    kept = {taken: HeapBlock(size, taken, None) for taken, size in held.values()}
    return tuple(block for _, block in sorted((ended | kept).items()))


def highest(found: Iterable[HeapBlock], first: int, last: int) -> tuple[Place, int]:
    """Where in the stretches from `first` to `last` most bytes are held for the first time, and how many."""
    moves = [(block.taken, block.size) for block in found]
    moves += [(block.freed, -block.size) for block in found if block.freed is not None]
    held, place, most = 0, (first, -1), 0
    for moved, size in sorted(moves):
        if moved[0] > last:
            break
        held += size
        if moved[0] < first:
            most = held
        elif held > most:
            place, most = moved, held
    return place, most
