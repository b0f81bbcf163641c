"""Part `report`: a hundred thousand results as every format."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from benchmarks.cost.figure import Aim, Figure
from ncnn_peakmem import machine
from ncnn_peakmem.baselines import Verdict, judge
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
from ncnn_peakmem.reports import json_report, markdown, terminal
from ncnn_peakmem.reports.run_report import RunReport
from ncnn_peakmem.tolerance import GaugeTolerance, Tolerance

_MANY, _FEW = 100_000, 10_000
_MIB = 2**20

_FORMATS: dict[str, Callable[[RunReport], object]] = {
    "terminal": terminal.lines,
    "markdown": markdown.render,
    "json": json_report.render,
}


def reports() -> Iterator[Figure]:
    """Seconds, memory, and whether ten times as many results take ten times as long."""
    few, many = _report(_FEW), _report(_MANY)
    for name, render in _FORMATS.items():
        short, long = _seconds(render, few), _seconds(render, many)
        tracemalloc.start()
        render(many)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        yield Figure(f"report of {_MANY:,} results, {name}", (long,), "s")
        growth = (long / short / (_MANY / _FEW),)
        with _no_garbage_collection():
            uncollected = _seconds(render, many)
        why = f"Of {long:.2f} s the garbage collector takes {max(0.0, long - uncollected):.2f} s."
        yield Figure(
            f"report, {name}: time of a result among {_MANY:,} / among {_FEW:,}", growth, aim=Aim(1.5, why)
        )
        yield Figure(f"report of {_MANY:,} results, {name}: memory beside them", (peak / _MIB,), "MiB")


def _seconds(render: Callable[[RunReport], object], report: RunReport) -> float:
    start = time.perf_counter()
    render(report)
    return time.perf_counter() - start


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _report(count: int) -> RunReport:
    """Most stayed the same; one in ten grew."""
    cases = {f"net_{number}-fp32-t1": number for number in range(count)}
    measured = {case: _measurement(case, grown=number % 10 == 0) for case, number in cases.items()}
    verdicts = tuple(
        replace(_judged(found, _measurement(case, grown=False)), against="1.0.20260526")
        for case, found in measured.items()
    )
    return RunReport(MeasurementSet("1.0.20261020", machine.detect(), measured), verdicts)


def _judged(measured: Measurement, baseline: Measurement) -> Verdict:
    tolerances = {gauge: GaugeTolerance(Tolerance(), Tolerance()) for gauge in Gauge}
    return judge(measured, baseline, tolerances, same_release=True)


def _measurement(case: str, *, grown: bool) -> Measurement:
    """All three gauges in all phases, `heap` a KiB larger where it grew."""
    process = dict.fromkeys((Metric.VM_PEAK, Metric.VM_HWM, Metric.VM_RSS, Metric.RSS_ANON), 100 * _MIB)
    heap = {Metric.PEAK: 50 * _MIB + 1024 * grown, Metric.LIVE: 40 * _MIB}
    readings = {
        gauge: Reading(Outcome(OutcomeKind.OK), dict.fromkeys(Phase, figures), loops=12, settled_at=3)
        for gauge, figures in ((Gauge.HEAP, heap), (Gauge.PAGES, process), (Gauge.DEPLOYED, process))
    }
    return Measurement(case, "0123456789abcdef", readings)
