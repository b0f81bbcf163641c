"""Which blobs lie in which block while a network runs, and when light mode leaves a block to nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ncnn_peakmem.graph.graph import Node


class Holding:
    """Blobs by name, each in a block that has a number."""

    def __init__(self, inputs: Iterable[str]) -> None:
        # The caller keeps what it gives: one more holder, who never lets go.
        self._block = {blob: -1 - number for number, blob in enumerate(inputs)}
        self._holders = Counter(dict.fromkeys(self._block.values(), 2))

    def is_shared(self, node: Node) -> bool:
        """Whether the block of a layer's first bottom has another holder."""
        return bool(node.bottoms) and self._holders[self._block[node.bottoms[0]]] > 1

    def make(self, node: Node, kept: tuple[int, ...]) -> None:
        """The layer's tops lie in the blocks it kept, or in that of its first bottom if it kept none."""
        blocks = kept or (self._block[node.bottoms[0]],)
        for number, blob in enumerate(node.tops):
            self._block[blob] = blocks[min(number, len(blocks) - 1)]
            self._holders[self._block[blob]] += 1

    def let_go(self, node: Node) -> list[int]:
        """Light mode lets go of the layer's bottoms: the blocks that nobody holds then, in order."""
        free = []
        for blob in dict.fromkeys(node.bottoms):
            block = self._block.pop(blob)
            self._holders[block] -= 1
            if not self._holders[block]:
                free.append(block)
        return free

    def block(self, blob: str) -> int:
        """The block in which a blob lies; negative ones are the caller's."""
        return self._block[blob]

    def end(self, blobs: Iterable[str]) -> list[int]:
        """All is let go of, blob after blob: the blocks that nobody holds then, in order."""
        free = []
        for blob in blobs:
            block = self._block.pop(blob, None)
            if block is None:
                continue
            self._holders[block] -= 1
            if not self._holders[block]:
                free.append(block)
        return free
