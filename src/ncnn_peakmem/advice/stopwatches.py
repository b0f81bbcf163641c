"""Times one job beside another: two children that take turns, so that a busy spell meets both."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
    """Pairs of inferences, without anything that traces them; no pairs where a child ends before its time.

    Where it is the reference's that ends, the outcome is `hindered`: it tells nothing of the other.
    """
    pairs: list[Pair] = []
    try:
        for _ in range(rounds.starts):
            with ExitStack() as running:
                with _reference():
                    usual = running.enter_context(Stopwatch(reference, conditions))
                changed = running.enter_context(Stopwatch(other, conditions))
                pairs += _turns(usual, changed, rounds)
    except ProbeEnded as ended:
        return ended.outcome, ()
    return Outcome(OutcomeKind.OK), tuple(pairs)


@contextmanager
def _reference() -> Iterator[None]:
    """Say of a child that ends here that it was not the one to be timed."""
    try:
        yield
    except ProbeEnded as ended:
        told = ended.outcome
        where = f" in {told.phase}" if told.phase else ""
        cause = f"not timed, for what it is compared with ended: {told.kind}{where}: {told.cause}"
        raise ProbeEnded(Outcome(OutcomeKind.FAILED, cause, hindered=True)) from ended


def _turns(usual: Stopwatch, changed: Stopwatch, rounds: Rounds) -> Iterator[Pair]:
    with _reference():
        _warm(usual, rounds)
    _warm(changed, rounds)
    began = time.monotonic()
    for number in range(rounds.each):
        if number >= rounds.least and time.monotonic() - began > rounds.seconds:
            return
        # Each goes first in turn: what comes second finds the caches as the other one left them.
        if number % 2:
            mine = changed.infer()
            yield _usual(usual), mine
        else:
            yield _usual(usual), changed.infer()


def _usual(child: Stopwatch) -> int:
    with _reference():
        return child.infer()


def _warm(child: Stopwatch, rounds: Rounds) -> None:
    child.load()
    child.prepare_input()
    for _ in range(rounds.warm_up):
        child.infer()
