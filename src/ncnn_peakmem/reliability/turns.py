"""Timing things in turn, so that a busy spell of the machine meets all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence


def in_turn(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """The seconds of each way, round by round; another one begins each round.

    The round that brings files into memory is not counted.
    """
    names = list(ways)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds + 1):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            start = time.perf_counter()
            ways[name]()
            if number:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def ratios(seconds: Sequence[float], rivals: Sequence[float]) -> tuple[float, ...]:
    """How many times as long as its rival something took, round by round."""
    return tuple(mine / rival for mine, rival in zip(seconds, rivals, strict=True))
