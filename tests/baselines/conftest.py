from __future__ import annotations

import pytest

from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import (
    Caveat,
    Gauge,
    Measurement,
    MeasurementSet,
    Metric,
    Outcome,
    OutcomeKind,
    Phase,
    Reading,
)


@pytest.fixture
def machine() -> MachineClass:
    return MachineClass("x86_64", ("avx512", "avx2"), 1048576, 2, 4096, "glibc2.36")


@pytest.fixture
def heap() -> Reading:
    phases = {
        Phase.LOAD_MODEL: {Metric.PEAK: 26_600_001, Metric.LIVE: 17_000_000},
        Phase.FIRST: {Metric.PEAK: 22_000_000, Metric.LIVE: 18_000_000},
    }
    return Reading(Outcome(OutcomeKind.OK), phases, loops=12, settled_at=3)


@pytest.fixture
def pages() -> Reading:
    crashed = Outcome(OutcomeKind.CRASHED, 'SIGSEGV in "conv\\1" ✗', Phase.FIRST)
    phases = {
        Phase.IMPORT: {Metric.VM_PEAK: 150_000_000, Metric.RSS_ANON: 0},
        Phase.LOAD_MODEL: {Metric.VM_PEAK: 180_000_000, Metric.RSS_ANON: 20_000_000},
    }
    return Reading(crashed, phases, loops=1, caveats=(Caveat.THP_ON, Caveat.ASLR_ON))


@pytest.fixture
def measured(machine: MachineClass, heap: Reading, pages: Reading) -> MeasurementSet:
    both = Measurement("vgg16-fp32-t1", "digest-1", {Gauge.HEAP: heap, Gauge.PAGES: pages})
    one = Measurement("alexnet-int8-t1", "digest-2", {Gauge.HEAP: heap})
    return MeasurementSet("1.0.20240410", machine, {both.case: both, one.case: one})
