"""Time beside memory, by pytest-benchmark; the peaks of the same case are in its `extra_info`.

Nothing here can fail for being slow: these machines' clocks decide nothing. `--benchmark-compare` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from fixtures.suite import Suite
from ncnn_peakmem.case import Case
from ncnn_peakmem.conversion import convert
from ncnn_peakmem.gate import Gate
from ncnn_peakmem.measurement import JUDGED, Measurement
from ncnn_peakmem.probe import Job, Stopwatch

LOAD_ROUNDS = 5
INFER_ROUNDS = 10


@pytest.fixture
def start(
    network_case: Case,
    suite: Suite,
    build: Gate,
    memory_probe: Callable[[Case], Measurement],
    benchmark: BenchmarkFixture,
) -> Iterator[Callable[[], Stopwatch]]:
    """Starts a fresh child that has imported ncnn; the last one started is ended with the test."""
    run = build.run
    measured = memory_probe(network_case)
    if not measured.outcome.ok:
        pytest.skip(f"{network_case.id} cannot be timed: {measured.outcome.cause}")
    for gauge, reading in measured.readings.items():
        benchmark.extra_info[f"{gauge}_peak_bytes"] = reading.peak(JUDGED[gauge][0])
    model = convert(suite.catalog.networks[network_case.network], run.cache)
    job = Job(run.runtime, model, network_case.flags, network_case.threads)
    with ExitStack() as running:

        def fresh() -> Stopwatch:
            running.close()
            return running.enter_context(Stopwatch(job, run.conditions))

        yield fresh


@pytest.mark.peakmem_choice("lightmode", "light")
def test_load(start: Callable[[], Stopwatch], benchmark: BenchmarkFixture) -> None:
    """Reading the graph and the weights, in a fresh process each time."""
    benchmark.group = "load"
    benchmark.pedantic(Stopwatch.load, setup=lambda: ((start(),), {}), rounds=LOAD_ROUNDS)


@pytest.mark.peakmem_choice("lightmode", "light")
def test_infer(start: Callable[[], Stopwatch], benchmark: BenchmarkFixture) -> None:
    """One inference in a process that is warm."""
    benchmark.group = "infer"
    stopwatch = start()
    stopwatch.load()
    stopwatch.prepare_input()
    benchmark.pedantic(stopwatch.infer, rounds=INFER_ROUNDS, warmup_rounds=2)
