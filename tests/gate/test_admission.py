from __future__ import annotations

import re
from pathlib import Path

from ncnn_peakmem import machine, runtimes
from ncnn_peakmem.case import Case, Precision
from ncnn_peakmem.conversion import Cache
from ncnn_peakmem.forecast import Setting, predict
from ncnn_peakmem.gate import Admission
from ncnn_peakmem.measurement import Gauge, OutcomeKind, Phase
from ncnn_peakmem.network import Loops, ModelFiles, NcnnFiles, Network
from ncnn_peakmem.probe import Conditions
from ncnn_peakmem.run import Run

CASE = Case("small", Precision.FP32, ())
LOOPS = Loops(4, 8, 2)


def test_what_fits_is_admitted(small_model: ModelFiles) -> None:
    assert Admission(machine.detect())(runtimes.installed(), CASE, small_model, LOOPS) == ""


def test_what_is_far_beyond_the_limit_is_refused_with_both_figures(small_model: ModelFiles) -> None:
    told = Admission(machine.detect(), limit_bytes=100_000)(runtimes.installed(), CASE, small_model, LOOPS)

    assert re.fullmatch(r"forecast 0\.\d MiB, but 0\.1 MiB are available \(the limit that was set\)", told)


def test_near_the_limit_ncnn_is_to_decide(small_model: ModelFiles) -> None:
    here, runtime = machine.detect(), runtimes.installed()
    peak = predict(small_model, Setting(here, runtime.release), LOOPS).peak.bytes

    assert Admission(here, limit_bytes=peak * 9 // 10)(runtime, CASE, small_model, LOOPS) == ""
    assert Admission(here, limit_bytes=peak // 10)(runtime, CASE, small_model, LOOPS) != ""


def test_what_cannot_be_forecast_is_not_refused(small_model: ModelFiles) -> None:
    small_model.param.write_text("7767517\n2 2\nInput data 0 1 data\nNoSuchLayer odd 1 1 data out\n")
    admission = Admission(machine.detect(), limit_bytes=1)

    assert admission(runtimes.installed(), CASE, small_model, LOOPS) == ""


def test_what_light_mode_cannot_run_is_not_refused(small_model: ModelFiles) -> None:
    small_model.param.write_text(
        "7767517\n3 3\nInput data 0 1 data\nReLU a 1 1 data x\nBinaryOp b 2 1 data x output\n"
    )
    admission = Admission(machine.detect(), limit_bytes=1)

    assert admission(runtimes.installed(), CASE, small_model, LOOPS) == ""


def test_a_refused_case_is_out_of_memory_and_no_child_is_run(small_param: Path, tmp_path: Path) -> None:
    here = machine.detect()
    run = Run(
        tmp_path / "run",
        runtimes.Runtime("1.0.20261020", tmp_path / "nowhere.so"),
        here,
        frozenset({Gauge.HEAP, Gauge.PAGES}),
        Conditions(),
        Cache(tmp_path / "cache"),
        refuse=Admission(here, limit_bytes=1000),
    )

    measured = run.measure(CASE, Network("small", NcnnFiles(small_param, None), loops=LOOPS))

    assert set(measured.readings) == {Gauge.HEAP, Gauge.PAGES}
    for reading in measured.readings.values():
        assert reading.outcome.kind is OutcomeKind.OUT_OF_MEMORY
        assert reading.outcome.phase is Phase.LOAD_MODEL
        assert "forecast" in reading.outcome.cause
