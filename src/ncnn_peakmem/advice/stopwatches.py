"""Times one job beside another: two children that take turns, so that a busy spell meets both."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from ncnn_peakmem.measurement import Outcome, OutcomeKind
from ncnn_peakmem.probe import Conditions, Job, ProbeEnded, Stopwatch

Pair = tuple[int, int]
"""Nanoseconds of the reference and of the other."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """`starts` fresh pairs of children, `each` of which takes so many turns after some that are not counted.

    No more than `seconds` are spent on one start, as long as it has had `least` turns: a large network needs
    fewer, for its times spread less.
    """

    starts: int = 3
    each: int = 7
    warm_up: int = 2
    least: int = 3
    seconds: float = 10.0


def time_beside(
    reference: Job, other: Job, conditions: Conditions, rounds: Rounds
) -> tuple[Outcome, tuple[Pair, ...]]:
    """Pairs of inferences, without anything that traces them; no pairs where a child ends before its time."""
    pairs: list[Pair] = []
    try:
        for _ in range(rounds.starts):
            with Stopwatch(reference, conditions) as usual, Stopwatch(other, conditions) as changed:
                pairs += _turns(usual, changed, rounds)
    except ProbeEnded as ended:
        return ended.outcome, ()
    return Outcome(OutcomeKind.OK), tuple(pairs)


def _turns(usual: Stopwatch, changed: Stopwatch, rounds: Rounds) -> Iterator[Pair]:
    for child in (usual, changed):
        child.load()
        child.prepare_input()
        for _ in range(rounds.warm_up):
            child.infer()
    began = time.monotonic()
    for number in range(rounds.each):
        if number >= rounds.least and time.monotonic() - began > rounds.seconds:
            return
        # Each goes first in turn: what comes second finds the caches as the other one left them.
        if number % 2:
            mine = changed.infer()
            yield usual.infer(), mine
        else:
            yield usual.infer(), changed.infer()
