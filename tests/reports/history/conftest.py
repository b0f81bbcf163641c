"""A small history in which everything happened that can."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from ncnn_peakmem.history import History
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import (
    Gauge,
    Measurement,
    MeasurementSet,
    Metric,
    Outcome,
    OutcomeKind,
    Phase,
    Reading,
)
from ncnn_peakmem.reports.history_report import HistoryReport
from ncnn_peakmem.tolerance import GaugeTolerance, Tolerance, Tolerances

KIB, MIB = 2**10, 2**20
OK = Outcome(OutcomeKind.OK)
CRASH = Outcome(OutcomeKind.CRASHED, "SIGSEGV", Phase.FIRST)
CASES = tuple(
    f"grows-fp32-{light}-{half}-{q8}-t1"
    for light in ("heavy", "light")
    for half in ("half", "single")
    for q8 in ("plain", "q8")
)
TOLERANCES: Tolerances = {
    Gauge.HEAP: GaugeTolerance(Tolerance(16 * KIB, 0.001), Tolerance()),
    Gauge.PAGES: GaugeTolerance(Tolerance(64 * KIB, 0.0025), Tolerance(16 * KIB)),
    Gauge.DEPLOYED: GaugeTolerance(Tolerance(16 * MIB), Tolerance(16 * MIB)),
}


def measured(case: str, load: int, held: int = 2 * MIB, mapped: int = 0, model: str = "model") -> Measurement:
    """Loading takes `load` bytes, inference `held` more; the process maps `mapped` besides."""
    heap = {
        Phase.LOAD_MODEL: {Metric.PEAK: load, Metric.LIVE: load},
        Phase.FIRST: {Metric.PEAK: load + held, Metric.LIVE: load + held},
        Phase.STEADY: {Metric.PEAK: load + held, Metric.LIVE: load + held},
        Phase.UNLOAD: {Metric.PEAK: load + held, Metric.LIVE: 0},
    }
    pages = {
        phase: {
            Metric.VM_PEAK: 100 * MIB + figures[Metric.PEAK] + mapped,
            Metric.RSS_ANON: figures[Metric.LIVE],
        }
        for phase, figures in heap.items()
    }
    floor = {Phase.IMPORT: {Metric.VM_PEAK: 100 * MIB, Metric.RSS_ANON: 0}}
    readings = {Gauge.HEAP: Reading(OK, heap, 12), Gauge.PAGES: Reading(OK, floor | pages, 12)}
    return Measurement(case, model, readings)


def crashed(case: str) -> Measurement:
    """The first inference crashed; loading keeps its figures."""
    kept = {
        gauge: Reading(
            CRASH,
            {phase: read.phases[phase] for phase in (Phase.IMPORT, Phase.LOAD_MODEL) if phase in read.phases},
        )
        for gauge, read in measured(case, 8 * MIB).readings.items()
    }
    return Measurement(case, "model", kept)


def grows(load_more: int = 0, held_more: int = 0) -> Iterable[Measurement]:
    """`load_more` is for light cases, `held_more` for heavy ones; `single` takes 1 MiB more, `q8` nothing."""
    for case in CASES:
        light, single = "light" in case, "single" in case
        load = (8 if light else 16) * MIB + (MIB if single else 0) + (load_more if light else 0)
        yield measured(case, load, 2 * MIB + (0 if light else held_more))


@pytest.fixture
def machine() -> MachineClass:
    return MachineClass("x86_64", ("avx512", "avx2"), 1048576, 2, 4096, "glibc2.36")


@pytest.fixture
def history(machine: MachineClass) -> History:
    """Four releases.

    `grows`: on the second its light cases load 4 MiB more; its heavy ones hold 10 KiB more on the third and
    again on the fourth. `falls` crashes on the first, is not measured on the second, and on the fourth takes
    1 MiB less and maps 2 MiB more. `swaps` is another model from the third on.
    """
    falls, swaps = "falls-fp32-t1", "swaps-fp32-t1"
    releases = {
        "1.0.20230101": [*grows(), crashed(falls), measured(swaps, MIB)],
        "1.0.20230201": [*grows(4 * MIB), measured(swaps, MIB)],
        "1.0.20230301": [
            *grows(4 * MIB, 10 * KIB),
            measured(falls, 8 * MIB),
            measured(swaps, 5 * MIB, model="new"),
        ],
        "1.0.20230401": [
            *grows(4 * MIB, 20 * KIB),
            measured(falls, 7 * MIB, mapped=2 * MIB),
            measured(swaps, 5 * MIB, model="new"),
        ],
    }
    return History(
        machine,
        tuple(
            MeasurementSet(ncnn, machine, {found.case: found for found in cases})
            for ncnn, cases in releases.items()
        ),
    )


@pytest.fixture
def report(history: History) -> HistoryReport:
    return HistoryReport(history, lambda _: TOLERANCES)
