"""Which combinations of the values that a grid lists are its cases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import lru_cache
from itertools import combinations, product

from allpairspy import AllPairs

Picks = tuple[int, ...]
"""A combination: of each list, the place of the value that is picked."""


class Cover(StrEnum):
    """How much of a grid's space its cases cover."""

    EVERY = "every"
    PAIRWISE = "pairwise"
    """So few combinations that every two values of two lists still meet in one."""

    def picks(self, sizes: Sequence[int]) -> Iterable[Picks]:
        """The combinations of two or more lists of these sizes, the last list turning fastest."""
        return product(*map(range, sizes)) if self is Cover.EVERY else _pairwise(tuple(sizes))


def pairs(sizes: Sequence[int]) -> int:
    """How many pairs of values of two lists there are: no fewer than the combinations that cover them."""
    return sum(first * second for first, second in combinations(sizes, 2))


@lru_cache(maxsize=256)
def _pairwise(sizes: Picks) -> tuple[Picks, ...]:
    """The same in every process, and without regard to anything but the sizes."""
    # It takes fewest where the longest lists come first.
    order = sorted(range(len(sizes)), key=lambda place: -sizes[place])
    rows = (dict(zip(order, row, strict=True)) for row in AllPairs([list(range(sizes[i])) for i in order]))
    return tuple(sorted(tuple(row[place] for place in range(len(sizes))) for row in rows))
