"""What it costs to ask where the bytes are: a case's attribution beside its untraced run.

Both are timed in turns, in the same minutes on the same CPU; what counts is the ratio. Clocks decide nothing
here: the ratio is printed and recorded, not asserted.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from fixtures.suite import Suite
from ncnn_peakmem.anatomy.dissection import explain
from ncnn_peakmem.conversion import convert
from ncnn_peakmem.gate import Gate
from ncnn_peakmem.measurement import Gauge, Metric
from ncnn_peakmem.network import Loops
from ncnn_peakmem.probe import Job, probe

NETWORK = "mobilenet_v1"
ROUNDS = 5
AIM = 3.0


def test_attribution_costs_a_few_runs(
    suite: Suite,
    build: Gate,
    record_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Splitting MobileNet's peak, against one probe of it with gauge pages and as many loops."""
    network = suite.catalog.networks.get(NETWORK)
    if network is None:
        pytest.skip(f"{suite.settings.models} has no {NETWORK}")
    conditions = build.run.conditions
    job = Job(build.run.runtime, convert(network, build.run.cache), {})
    heap = probe(Gauge.HEAP, job, network.loops, conditions)
    if not heap.outcome.ok:
        pytest.skip(f"{NETWORK} does not run: {heap.outcome.cause}")
    # What a red test runs ends with the loop in which the peak was last seen to grow.
    through = replace(heap, settled_at=heap.loops - 1)
    ways: dict[str, Callable[[], object]] = {
        "untraced run": lambda: probe(Gauge.PAGES, job, Loops(heap.loops, heap.loops), conditions),
        "attribution": lambda: explain(job, heap, conditions),
        "attribution through all loops": lambda: explain(job, through, conditions),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, run in ways.items():
            start = time.perf_counter()
            run()
            seconds[way].append(time.perf_counter() - start)

    assert explain(job, heap, conditions).peak.bytes == heap.peak(Metric.PEAK)
    untraced = statistics.median(seconds["untraced run"])
    with capsys.disabled():
        console = Console(highlight=False)
        console.print(
            f"\n{NETWORK}, {heap.loops} loops, medians of {ROUNDS} rounds; aim: {AIM:g} times or less"
        )
        for way, taken in seconds.items():
            ratio = statistics.median(taken) / untraced
            record_property(f"{way} / untraced run".replace(" ", "_"), round(ratio, 3))
            console.print(f"  {way:<30} {statistics.median(taken):.3f} s  {ratio:.2f}")
