"""Cases with several threads are judged by the tolerances that are written for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ncnn_peakmem import catalog
from ncnn_peakmem.baselines import BaselineStore, VerdictKind
from ncnn_peakmem.case import Case, Precision
from ncnn_peakmem.conversion import Cache
from ncnn_peakmem.gate import Gate
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
from ncnn_peakmem.probe import Conditions
from ncnn_peakmem.run import Run
from ncnn_peakmem.runtimes import Runtime

MODELS = """\
schema: 1
default_profile: small
reference_release: 1.0.20260526
step_timeout_seconds: 120
networks:
  resnet18: {topology: resnet18}
axes: {}
profiles:
  small: [{networks: all, axes: [], threads: [1, 2]}]
tolerances:
  heap:
    between_releases: {absolute: 0, relative: 0 %}
    same_release: {absolute: 0, relative: 0 %}
    several_threads: {same_release: {relative: 10 %}}
  pages:
    between_releases: {absolute: 0, relative: 0 %}
    same_release: {absolute: 0, relative: 0 %}
  deployed:
    between_releases: {absolute: 0, relative: 0 %}
    same_release: {absolute: 0, relative: 0 %}
"""
MACHINE = MachineClass("x86_64", ("avx2",), 1 << 20, 2, 4096, "glibc2.36")
VERSION = "1.0.20261020"


def measured(case: Case, peak: int) -> Measurement:
    reading = Reading(Outcome(OutcomeKind.OK), {Phase.FIRST: {Metric.PEAK: peak, Metric.LIVE: peak}})
    return Measurement(case.id, "digest", {Gauge.HEAP: reading})


@pytest.mark.parametrize(
    ("threads", "peak", "kind"),
    [
        (1, 1001, VerdictKind.REGRESSED),
        (2, 1001, VerdictKind.SAME),
        (2, 1100, VerdictKind.SAME),
        (2, 1101, VerdictKind.REGRESSED),
    ],
)
def test_threads_decide_which_tolerance_applies(
    tmp_path: Path, threads: int, peak: int, kind: VerdictKind
) -> None:
    (tmp_path / "models.yaml").write_text(MODELS)
    case = Case("resnet18", Precision.FP32, (), threads)
    store = BaselineStore(tmp_path / "baselines")
    store.update(MeasurementSet(VERSION, MACHINE, {case.id: measured(case, 1000)}))
    run = Run(
        folder=tmp_path / "run",
        runtime=Runtime(VERSION, tmp_path / "never_loaded.so"),
        machine=MACHINE,
        gauges=frozenset({Gauge.HEAP}),
        conditions=Conditions(),
        cache=Cache(tmp_path / "cache"),
    )
    # What a run finds in its folder it does not measure again.
    run.folder.mkdir()
    (run.folder / f"{case.id}.json").write_bytes(measured(case, peak).to_json())

    assert Gate(run, catalog.load(tmp_path / "models.yaml"), store).judge(case).kind is kind
