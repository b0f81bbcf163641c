"""The front: what takes less memory than all that is as fast. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ncnn_peakmem.advice.finding import Candidate
from ncnn_peakmem.advice.space import Setup


def front(found: Iterable[Candidate], distance: Callable[[Setup], int]) -> tuple[Candidate, ...]:
    """From the least memory on, each one that is faster, beyond noise, than all that take less.

    Of several with the same bytes the fastest is taken, of those that noise cannot tell apart the one with
    the fewest changes.
    """
    kept: list[Candidate] = []
    ranked = sorted(found, key=lambda one: (one.bytes, one.ratio.median, distance(one.setup)))
    while ranked:
        level = [one for one in ranked if one.bytes == ranked[0].bytes]
        ranked = ranked[len(level) :]
        alike = [one for one in level if not one.ratio.slower_than(level[0].ratio)]
        best = min(alike, key=lambda one: (distance(one.setup), one.ratio.median))
        if all(less.ratio.slower_than(best.ratio) for less in kept):
            kept.append(best)
    return tuple(kept)
