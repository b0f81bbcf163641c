"""The heap as ncnn asked for it, replayed from a recording of the child's allocations."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import memray
from memray import AllocationRecord, AllocatorType, FileReader

# A recording that breaks off is expected, and told by its child's outcome.
memray.set_log_level(logging.CRITICAL)  # type: ignore[attr-defined]

MARK_BYTES = 7
"""The size of the mapping by which the child marks that a command has ended."""

# Plain numbers: a recording has millions of records, and looking a name up takes longer than comparing.
_MALLOC, _FREE, _MMAP, _POSIX_MEMALIGN = (
    int(kind)
    for kind in (AllocatorType.MALLOC, AllocatorType.FREE, AllocatorType.MMAP, AllocatorType.POSIX_MEMALIGN)
)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Between two marks: the most bytes alive at one moment, and those alive at its end."""

    peak: int
    live: int


def stretches(trace: Path) -> Iterator[Stretch]:
    """One stretch per command of the child, in order; only whole ones where the recording breaks off.

    ncnn takes all of its memory through `posix_memalign` (src/allocator.h), and nothing else in the child
    does: those blocks, and the frees of their addresses, are the curve.
    """
    sizes: dict[int, int] = {}
    live = peak = 0
    for record in records(trace):
        allocator = record.allocator
        if allocator == _MALLOC:
            continue
        if allocator == _FREE:
            if (address := record.address) in sizes:
                live -= sizes.pop(address)
        elif allocator == _POSIX_MEMALIGN:
            sizes[record.address] = size = record.size
            live += size
            peak = max(peak, live)
        elif allocator == _MMAP and record.size == MARK_BYTES:
            yield Stretch(peak, live)
            peak = live


def records(trace: Path) -> Iterator[AllocationRecord]:
    """The recorded events as far as they go: a child that was killed leaves its recording without an end."""
    try:
        with FileReader(trace) as recording:
            yield from recording.get_allocation_records()
    except (OSError, EOFError):
        return
