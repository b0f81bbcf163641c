"""Looped inference reaches a plateau and stays there.

The article finds that looping adds nothing. Today's pools do grow after the first inference, on some networks
for dozens of loops: what holds is that the growth ends. The summary of the run shows both peaks.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fixtures.suite import Suite
from ncnn_peakmem.case import Case
from ncnn_peakmem.conversion import convert
from ncnn_peakmem.gate import Gate
from ncnn_peakmem.measurement import Gauge, Measurement, Phase
from ncnn_peakmem.network import Loops
from ncnn_peakmem.probe import Job, probe


def test_looping_reaches_a_plateau(case: Case, measurement: Measurement) -> None:
    """By the last loop the peak has rested for at least as long as it took to get there."""
    for gauge, reading in measurement.readings.items():
        if reading.growing:
            loops = f"loop {reading.settled_at} of {reading.loops}"
            pytest.fail(f"{case.id}: {gauge} still grew at {loops}; raise its loops", pytrace=False)


@pytest.mark.peakmem_choice("lightmode", "heavy")
def test_plateau_lasts(
    network_case: Case, suite: Suite, build: Gate, memory_probe: Callable[[Case], Measurement]
) -> None:
    """Twice as many loops see the same heap, to the byte."""
    run = build.run
    network = suite.catalog.networks[network_case.network]
    if Gauge.HEAP not in run.gauges:
        pytest.skip("gauge heap is not measured in this run")
    seen = memory_probe(network_case).readings[Gauge.HEAP]
    if not seen.outcome.ok:
        pytest.skip(f"{network_case.id} has no plateau: {seen.outcome.cause}")
    doubled = Loops(minimum=2 * seen.loops, maximum=2 * seen.loops)
    job = Job(run.runtime, convert(network, run.cache), network_case.flags, network_case.threads)

    again = probe(Gauge.HEAP, job, doubled, run.conditions)

    assert again.outcome.ok, again.outcome.cause
    assert again.loops == 2 * seen.loops
    assert again.phases[Phase.STEADY] == seen.phases[Phase.STEADY]
