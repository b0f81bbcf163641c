"""The page about precisions: what it tells of files, and of what takes more than fp32."""

from __future__ import annotations

from benchmarks.precision_page import PAGE, page
from ncnn_peakmem.case import Case, OptionChoice, Precision
from ncnn_peakmem.conversion.comparison import Likeness
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
from ncnn_peakmem.reports import precisions
from ncnn_peakmem.reports.conversion import Converted

MACHINE = MachineClass("x86_64", ("avx2",), 1 << 20, 2, 4096, "glibc2.36")
MIB = 2**20


def case(precision: Precision, light: str) -> Case:
    return Case("net", precision, (OptionChoice("lightmode", light, {"lightmode": light == "light"}),))


CASES = tuple(case(precision, light) for precision in Precision for light in ("light", "heavy"))


def measured(case: Case, steady: int) -> Measurement:
    heap = {Phase.LOAD_MODEL: {Metric.PEAK: MIB, Metric.LIVE: MIB}, Phase.STEADY: {Metric.PEAK: steady}}
    return Measurement(case.id, "digest", {Gauge.HEAP: Reading(Outcome(OutcomeKind.OK), heap)})


def files(cosine: float) -> tuple[Converted, ...]:
    near = (Likeness("out0", 8, cosine, cosine, None),)
    quantized = {Precision.INT8: 3}
    return tuple(
        Converted("net", kind, 100, 4 * MIB, quantized.get(kind), quantized.get(kind), near)
        for kind in Precision
    )


def rendered(steady: dict[Precision, int], cosine: float = 0.999) -> str:
    cases = {found.id: measured(found, steady[found.precision]) for found in CASES}
    return precisions.render(MeasurementSet("1.0.20261020", MACHINE, cases), (), CASES, files(cosine))


def test_only_what_takes_more_than_fp32_is_listed() -> None:
    text = rendered({Precision.FP32: 5 * MIB, Precision.FP16: 5 * MIB, Precision.INT8: 7 * MIB})

    assert "| net | int8 | light | steady | +2.00 MiB |" in text
    assert "| net | int8 | heavy | steady | +2.00 MiB |" in text
    assert "| net | fp16 | light | steady" not in text
    assert "| load_model |" not in text


def test_a_cosine_of_nothing_is_told_as_below() -> None:
    steady = dict.fromkeys(Precision, MIB)

    assert "Below 0.99 with int8: net (0.00000)" in rendered(steady, cosine=0.0)
    assert "Below 0.99 with int8: none" in rendered(steady)


def test_the_page_is_as_it_is_made() -> None:
    assert PAGE.read_text() == page()
