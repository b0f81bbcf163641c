"""A pool of ncnn's as its extractors set them up, without memory: blocks are sizes, and who has them.

From ncnn's `src/allocator.cpp`: a request takes the first free block that is large enough, however large it
is. Where none is, and ten or more are free, the smallest is let go. Then malloc is asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from ncnn_peakmem.anatomy.heap_block import OVERREAD_BYTES

_DROP_FROM = 10


@dataclass(slots=True, eq=False)
class PoolBlock:
    """A block that fits `fits` bytes, taken for a layer; `user` has `used` bytes of it, None if it is free.

    Layers are numbers.
    """

    fits: int
    taken_for: int
    user: int | None = None
    used: int = 0

    @property
    def size(self) -> int:
        """The bytes that malloc was asked for."""
        return self.fits + OVERREAD_BYTES

    @property
    def idle(self) -> int:
        """The bytes that nobody uses: what is asked for is used with what ncnn adds to it."""
        return self.size if self.user is None else self.fits - self.used


class PoolModel:
    """The blocks of one pool; free ones in the order in which they came back."""

    def __init__(self) -> None:
        self.held = 0
        """The bytes that malloc was asked for and has not been given back."""
        self.moves = 0
        """How often malloc was asked, or given a block."""
        self._free: list[PoolBlock] = []
        self._used: dict[PoolBlock, None] = {}

    def ask(self, size: int, layer: int) -> PoolBlock:
        """A block for `size` bytes, which the layer of that number has until it is given back."""
        block = self._found(size)
        if block is None:
            self._drop(size)
            block = PoolBlock(size, layer)
            self.held += block.size
            self.moves += 1
        block.user, block.used = layer, size
        self._used[block] = None
        return block

    def give_back(self, block: PoolBlock) -> None:
        """Take a block back."""
        del self._used[block]
        block.user, block.used = None, 0
        self._free.append(block)

    @property
    def blocks(self) -> tuple[PoolBlock, ...]:
        """All blocks, used and free."""
        return (*self._used, *self._free)

    @property
    def free(self) -> tuple[int, ...]:
        """What the free blocks fit, in their order: where none is in use, this is all there is to tell."""
        return tuple(block.fits for block in self._free)

    def _found(self, size: int) -> PoolBlock | None:
        for place, block in enumerate(self._free):
            if block.fits >= size:
                return self._free.pop(place)
        return None

    def _drop(self, size: int) -> None:
        if len(self._free) < _DROP_FROM:
            return
        # None fits, so all are too small.
        smallest = min(self._free, key=lambda block: block.fits)
        assert smallest.fits < size
        self._free.remove(smallest)
        self.held -= smallest.size
        self.moves += 1
