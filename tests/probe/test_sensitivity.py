"""The gate can fail: a runtime that holds an extra buffer goes red, and green without it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ncnn_peakmem import catalog, runtimes
from ncnn_peakmem.baselines import Verdict, VerdictKind, judge
from ncnn_peakmem.measurement import Gauge, Measurement, Metric, Phase
from ncnn_peakmem.network import Loops, ModelFiles
from ncnn_peakmem.probe import Conditions, Job, probe
from ncnn_peakmem.runtimes import Runtime

ROOT = Path(__file__).parents[2]
HOLDING = (Phase.LOAD_PARAM, Phase.LOAD_MODEL, Phase.FIRST, Phase.STEADY)
SEEN = (
    (Gauge.HEAP, 1024),
    (Gauge.HEAP, 64 * 1024),
    (Gauge.PAGES, 64 * 1024),
    (Gauge.PAGES, 1024 * 1024),
)


@pytest.fixture
def verdict(small_model: ModelFiles, stand_in: Callable[..., Runtime]) -> Callable[[Gauge, Runtime], Verdict]:
    tolerances = catalog.load(ROOT / "models.yaml").tolerances("mobilenet_v2", 1)

    def measured(gauge: Gauge, runtime: Runtime) -> Measurement:
        reading = probe(
            gauge, Job(runtime, small_model, {}), Loops(), Conditions(cpu=min(os.sched_getaffinity(0)))
        )
        return Measurement("small", small_model.digest, {gauge: reading})

    def compare(gauge: Gauge, runtime: Runtime) -> Verdict:
        baseline = measured(gauge, stand_in())
        return judge(measured(gauge, runtime), baseline, tolerances, same_release=True)

    return compare


@pytest.mark.parametrize("gauge", [Gauge.HEAP, Gauge.PAGES])
def test_green_without_the_buffer(verdict: Callable[[Gauge, Runtime], Verdict], gauge: Gauge) -> None:
    assert verdict(gauge, runtimes.installed()).kind is VerdictKind.SAME


@pytest.mark.parametrize(("gauge", "held_bytes"), SEEN)
@pytest.mark.parametrize("phase", HOLDING)
def test_red_from_the_phase_that_takes_the_buffer_on(
    verdict: Callable[[Gauge, Runtime], Verdict],
    stand_in: Callable[..., Runtime],
    gauge: Gauge,
    held_bytes: int,
    phase: Phase,
) -> None:
    found = verdict(gauge, stand_in(phase, held_bytes))

    assert found.kind is VerdictKind.REGRESSED
    red = {change.phase for change in found.changes if change.exceeds}
    assert red - {Phase.UNLOAD} == set(HOLDING[HOLDING.index(phase) :])
    for change in found.changes:
        # A peak of before may hide a part of the buffer; what is held when a phase ends cannot.
        assert change.difference <= held_bytes + 16 * 1024
        if change.metric in {Metric.LIVE, Metric.RSS_ANON}:
            assert change.difference >= held_bytes
