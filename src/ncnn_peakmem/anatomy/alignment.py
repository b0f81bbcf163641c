"""Which block of one run is which block of another run of the same network."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from ncnn_peakmem.anatomy.heap_block import HeapBlock, Place

_Move = tuple[Place, int]


def align(ours: Sequence[HeapBlock], theirs: Sequence[HeapBlock]) -> dict[Place, Place]:
    """Where `theirs` took the block that `ours` took at a place; blocks that only one run has are left out.

    Both runs were given the same commands. Within each, the sizes taken and freed are two sequences, which
    are laid side by side so that long stretches agree.
    """
    our_moves, their_moves = _by_stretch(ours), _by_stretch(theirs)
    aligned: dict[Place, Place] = {}
    for number, one in our_moves.items():
        other = their_moves.get(number, [])
        for first, second, length in _same([size for _, size in one], [size for _, size in other]):
            pairs = zip(one[first : first + length], other[second : second + length], strict=True)
            aligned.update((taken, partner) for (taken, size), (partner, _) in pairs if size > 0)
    return aligned


def _by_stretch(found: Sequence[HeapBlock]) -> dict[int, list[_Move]]:
    """What was taken (a size) and freed (minus a size) in each stretch, in order."""
    moves = [(block.taken, block.size) for block in found]
    moves += [(block.freed, -block.size) for block in found if block.freed is not None]
    stretches: dict[int, list[_Move]] = {}
    for place, size in sorted(moves):
        stretches.setdefault(place[0], []).append((place, size))
    return stretches


def _same(one: list[int], other: list[int]) -> list[tuple[int, int, int]]:
    """The runs that both have: where each begins, and how long it is."""
    if one == other:
        return [(0, 0, len(one))]
    matches = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    return [(match.a, match.b, match.size) for match in matches]
