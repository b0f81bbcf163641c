"""What a probe costs beside a plain script that does as many loops."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ncnn_peakmem.baselines import in_words
from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.network import Loops
from ncnn_peakmem.probe import Conditions, Job, probe
from ncnn_peakmem.reliability import rival
from ncnn_peakmem.reliability.rival import NotTimed
from ncnn_peakmem.reliability.turns import in_turn, ratios

LOOPS = 12
_BARE = "bare"


@dataclass(frozen=True, slots=True)
class Cost:
    """Medians over several rounds: the seconds of a probe and of the plain script, and of their ratios."""

    gauge: Gauge
    seconds: float
    bare_seconds: float
    ratio: float
    """How many times as long as the plain script the probe takes in the same round."""


def costs(gauges: tuple[Gauge, ...], job: Job, conditions: Conditions, repeats: int) -> tuple[Cost, ...]:
    """Time all in turn; `NotTimed` where a probe or the plain script fails."""
    ways: dict[str, Callable[[], object]] = {_BARE: partial(rival.bare, job, LOOPS, conditions)}
    ways |= {gauge: partial(probe_all, gauge, job, LOOPS, conditions) for gauge in gauges}
    seconds = in_turn(ways, repeats)
    median = {way: statistics.median(taken) for way, taken in seconds.items()}
    return tuple(
        Cost(gauge, median[gauge], median[_BARE], statistics.median(ratios(seconds[gauge], seconds[_BARE])))
        for gauge in gauges
    )


def probe_all(gauge: Gauge, job: Job, loops: int, conditions: Conditions) -> None:
    """A probe of exactly so many loops; `NotTimed` where it did less, since failing is fast."""
    reading = probe(gauge, job, Loops(loops, loops), conditions)
    if not reading.outcome.ok:
        raise NotTimed(f"probe `{gauge}` failed: {in_words(reading.outcome)}")
    if reading.loops != loops:
        raise NotTimed(f"probe `{gauge}` ran {reading.loops} loops in place of {loops}")
