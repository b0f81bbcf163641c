"""The front: what takes less memory than all that is as fast. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ncnn_peakmem.advice.finding import Candidate
from ncnn_peakmem.advice.space import Setup


def front(
    found: Iterable[Candidate], distance: Callable[[Setup], int], noise: int = 0
) -> tuple[Candidate, ...]:
    """From the least memory on, each one that is faster, beyond noise, than all that take less.

    Of several with the same bytes, give or take `noise`, the fastest is taken, of those whose times noise
    cannot tell apart the one with the fewest changes.
    """
    kept: list[Candidate] = []
    smaller: list[Candidate] = []
    ranked = sorted(found, key=lambda one: one.bytes)
    while ranked:
        level = [one for one in ranked if one.bytes <= ranked[0].bytes + noise]
        ranked = ranked[len(level) :]
        fastest = min(level, key=lambda one: one.ratio.median)
        alike = [one for one in level if not one.ratio.slower_than(fastest.ratio)]
        best = min(alike, key=lambda one: (distance(one.setup), one.ratio.median))
        if all(less.ratio.slower_than(best.ratio) for less in smaller):
            kept.append(best)
        smaller += level
    return tuple(kept)
