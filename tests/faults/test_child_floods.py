"""The child prints more than anybody reads."""

from __future__ import annotations

import psutil
import pytest

from ncnn_peakmem.measurement import Gauge, OutcomeKind, Phase
from tests.faults.conftest import HANG, Clock, Faulty, Measure


@pytest.mark.fault(
    "the child floods stderr or stdout with megabytes, and goes on",
    "it is measured as ever: nothing blocks it",
)
@pytest.mark.parametrize("gauge", Gauge)
@pytest.mark.parametrize("descriptor", [1, 2])
def test_flood_that_ends(measure: Measure, faulty: Faulty, gauge: Gauge, descriptor: int) -> None:
    before = psutil.Process().memory_info().rss

    reading = measure(
        gauge, faulty(Phase.FIRST, f"for _ in range(512): posix.write({descriptor}, b'x' * 65536)")
    )

    assert reading.outcome.ok
    assert list(reading.phases) == list(Phase)
    # 32 MiB were printed.
    assert psutil.Process().memory_info().rss < before + (8 << 20)


@pytest.mark.fault(
    "the child floods stderr or stdout without end, in each phase",
    "`timed_out`; the flood is not kept in memory",
)
@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("descriptor", [1, 2])
def test_flood_without_end(
    measure: Measure, faulty: Faulty, clock: Clock, phase: Phase, descriptor: int
) -> None:
    act = clock.act.replace(HANG, f"\nwhile True: posix.write({descriptor}, b'x' * 65536)")

    outcome = measure(Gauge.PAGES, faulty(phase, act)).outcome

    assert (outcome.kind, outcome.phase) == (OutcomeKind.TIMED_OUT, phase)


@pytest.mark.fault("the child floods stderr and then fails", "`failed`, with the last thing that it said")
def test_last_words_after_a_flood(measure: Measure, faulty: Faulty) -> None:
    act = (
        "for _ in range(64): posix.write(2, b'x' * 65536)\n"
        "posix.write(2, b'\\nthe last word\\n')\n"
        "raise ValueError('no more')"
    )

    outcome = measure(Gauge.PAGES, faulty(Phase.LOAD_MODEL, act)).outcome

    assert (outcome.kind, outcome.cause) == (
        OutcomeKind.FAILED,
        "load_model: ValueError: no more (the last word)",
    )
