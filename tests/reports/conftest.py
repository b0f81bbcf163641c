from __future__ import annotations

from dataclasses import replace

import pytest

from ncnn_peakmem.baselines import Change, Verdict, VerdictKind
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
from ncnn_peakmem.reports import RunReport

MIB = 1024 * 1024


@pytest.fixture
def grown() -> Verdict:
    """A case that regressed: the peak of loading, and with it what is live in later phases."""
    peak = Change(Gauge.HEAP, Phase.LOAD_MODEL, Metric.PEAK, 26_602_373, 22_187_868, 22_187)
    live = Change(Gauge.HEAP, Phase.LOAD_MODEL, Metric.LIVE, 17 * MIB, 16 * MIB, 16_777)
    first = Change(Gauge.HEAP, Phase.FIRST, Metric.LIVE, 18 * MIB, 17 * MIB, 17_825)
    steady = Change(Gauge.HEAP, Phase.STEADY, Metric.LIVE, 18 * MIB, 17 * MIB, 17_825)
    pages = Change(Gauge.PAGES, Phase.FIRST, Metric.VM_PEAK, 45 * MIB, 40 * MIB, MIB)
    calm = Change(Gauge.DEPLOYED, Phase.FIRST, Metric.VM_PEAK, 45 * MIB, 45 * MIB, MIB)
    return Verdict(
        "mobilenet_v1-fp32-light-half-q8-t1",
        VerdictKind.REGRESSED,
        changes=(peak, live, first, steady, pages),
        peaks=(peak, pages, calm),
        against="1.0.20221128",
    )


@pytest.fixture
def shrunk() -> Verdict:
    peak = Change(Gauge.HEAP, Phase.FIRST, Metric.PEAK, 10 * MIB, 12 * MIB, 100)
    return Verdict("resnet18-fp32-light-half-q8-t1", VerdictKind.IMPROVED, changes=(peak,), peaks=(peak,))


@pytest.fixture
def crashed() -> Verdict:
    reason = "heap crashed in first: SIGSEGV in <conv|1>; the baseline: ok"
    return Verdict("vgg16-int8-heavy-single-q8-t1", VerdictKind.BROKEN, reason)


@pytest.fixture
def unknown() -> Verdict:
    return Verdict("alexnet-fp16-light-half-plain-t4", VerdictKind.NEW, "no baseline")


@pytest.fixture
def calm() -> list[Verdict]:
    verdicts = []
    for number in range(70):
        peak = Change(Gauge.HEAP, Phase.FIRST, Metric.PEAK, 8 * MIB + number, 8 * MIB, 100)
        verdicts.append(Verdict(f"calm-{number}-t1", VerdictKind.SAME, peaks=(peak,)))
    return verdicts


def measurement_of(case: str, peak: int = 8 * MIB) -> Measurement:
    outcome = Outcome(OutcomeKind.OK)
    heap = {Phase.FIRST: {Metric.PEAK: peak, Metric.LIVE: peak}}
    pages = {
        Phase.IMPORT: {Metric.VM_PEAK: 150 * MIB, Metric.RSS_ANON: 10 * MIB},
        Phase.FIRST: {Metric.VM_PEAK: 150 * MIB + peak, Metric.RSS_ANON: 9 * MIB},
    }
    readings = {
        Gauge.HEAP: Reading(outcome, heap, loops=12, settled_at=3),
        Gauge.PAGES: Reading(outcome, pages, loops=12, settled_at=3, caveats=(Caveat.ASLR_ON,)),
    }
    return Measurement(case, "digest", readings)


def heap_alone(case: str) -> Measurement:
    whole = measurement_of(case)
    return Measurement(case, whole.model, {Gauge.HEAP: whole.readings[Gauge.HEAP]})


@pytest.fixture
def measurement() -> Measurement:
    return measurement_of("mobilenet_v1-fp32-light-half-q8-t1", 25 * MIB)


@pytest.fixture
def machine() -> MachineClass:
    return MachineClass("x86_64", ("avx512", "avx2"), 1048576, 2, 4096, "glibc2.36")


@pytest.fixture
def report(
    machine: MachineClass,
    measurement: Measurement,
    grown: Verdict,
    shrunk: Verdict,
    crashed: Verdict,
    unknown: Verdict,
    calm: list[Verdict],
) -> RunReport:
    """A run in which everything happened that can."""
    verdicts = (*calm, shrunk, unknown, grown, crashed)
    measured = {verdict.case: measurement_of(verdict.case) for verdict in (shrunk, unknown)}
    measured.update({verdict.case: heap_alone(verdict.case) for verdict in calm})
    end = Outcome(OutcomeKind.CRASHED, "SIGSEGV in <conv|1>", Phase.FIRST)
    measured[crashed.case] = Measurement(crashed.case, "digest", {Gauge.HEAP: Reading(end, {})})
    measured[measurement.case] = measurement
    return RunReport(
        measured=MeasurementSet("1.0.20230223", machine, measured),
        verdicts=verdicts,
        baseline_note="measured in this run",
        baseline_file="baselines/class/1.0.20221128.json",
        stale=("gone-t1", "lost-t1"),
    )


@pytest.fixture
def calm_report(machine: MachineClass, calm: list[Verdict]) -> RunReport:
    measured = {verdict.case: heap_alone(verdict.case) for verdict in calm}
    verdicts = tuple(replace(verdict, against="1.0.20230223") for verdict in calm)
    return RunReport(MeasurementSet("1.0.20230223", machine, measured), verdicts)
