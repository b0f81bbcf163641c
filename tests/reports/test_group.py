"""Which cases are told as one, and how they are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product

from ncnn_peakmem.baselines import Verdict, VerdictKind
from ncnn_peakmem.case import OptionChoice
from ncnn_peakmem.catalog import Axis, InId
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
from ncnn_peakmem.reports import RunReport
from ncnn_peakmem.reports.group import grouped
from ncnn_peakmem.reports.row import report_rows

MACHINE = MachineClass("x86_64", ("avx2",), 1 << 20, 2, 4096, "glibc2.36")
MIB = 2**20
OK = Outcome(OutcomeKind.OK)
GRID = tuple(
    f"net-fp32-{light}-{half}-{threads}"
    for light, half, threads in product(("light", "heavy"), ("half", "single"), ("t1", "t2", "t4"))
)


def of(case: str, heap: int, pages: int = 0, deployed: int = 0, outcome: Outcome = OK) -> Measurement:
    readings = {
        Gauge.HEAP: Reading(outcome, {Phase.FIRST: {Metric.PEAK: heap, Metric.LIVE: 0}}),
        Gauge.PAGES: Reading(outcome, {Phase.FIRST: {Metric.VM_PEAK: pages, Metric.RSS_ANON: 0}}),
        Gauge.DEPLOYED: Reading(outcome, {Phase.FIRST: {Metric.VM_PEAK: deployed, Metric.VM_HWM: 0}}),
    }
    return Measurement(case, "digest", readings)


def run(measured: Mapping[str, Measurement], axes: tuple[Axis, ...] = ()) -> RunReport:
    verdicts = tuple(Verdict(case, VerdictKind.NEW) for case in measured)
    return RunReport(MeasurementSet("1.0.20261020", MACHINE, measured), verdicts, axes=axes)


def titles(report: RunReport) -> list[str]:
    return [group.title for group in grouped(report.verdicts, report)]


def axis(name: str, labels: tuple[str, ...], in_id: InId) -> Axis:
    choices = {label: OptionChoice(name, label, {}) for label in labels}
    return Axis(name, choices, labels[0], in_id)


def test_a_product_is_told_by_its_labels() -> None:
    light = {case: of(case, 1 if "light" in case else len(case + str(n))) for n, case in enumerate(GRID)}
    heavy = {case: of(case, 100 + n) for n, case in enumerate(GRID) if "heavy" in case}
    assert titles(run(light | heavy)) == [
        "net fp32 light, any of half/single, t1/t2/t4 (6 cases)",
        *(case for case in GRID if "heavy" in case),
    ]


def test_some_of_the_labels_are_named_as_such() -> None:
    figures = {case: of(case, n if case.endswith("t1") else 1000) for n, case in enumerate(GRID)}
    assert titles(run(figures)) == [
        GRID[0],
        "net fp32, t2/t4, any of heavy/light, half/single (8 cases)",
        *(case for case in GRID[1:] if case.endswith("t1")),
    ]


def test_what_is_no_product_takes_several() -> None:
    different = GRID[0]
    report = run({case: of(case, 2 if case == different else 1) for case in GRID})
    groups = grouped(report.verdicts, report)
    assert groups[0].title == different
    assert sorted(verdict.case for group in groups for verdict in group.verdicts) == sorted(GRID)
    assert len(groups) > 2


def test_equal_heaps_with_other_pages_stay_apart() -> None:
    one, other = "net-fp32-light-t1", "net-fp32-heavy-t1"
    assert titles(run({one: of(one, 5, pages=1), other: of(other, 5, pages=2)})) == [one, other]


def test_a_phase_below_the_peak_keeps_cases_apart() -> None:
    one, other = of("net-fp32-light-t1", 5), of("net-fp32-heavy-t1", 5)
    phases = {**other.readings[Gauge.HEAP].phases, Phase.STEADY: {Metric.PEAK: 3, Metric.LIVE: 0}}
    heap = replace(other.readings[Gauge.HEAP], phases=phases)
    changed = replace(other, readings={**other.readings, Gauge.HEAP: heap})
    assert titles(run({one.case: one, other.case: changed})) == [one.case, other.case]


def test_deployed_splits_nothing_and_shows_its_span() -> None:
    one, other = "net-fp32-light-t1", "net-fp32-heavy-t1"
    report = run({one: of(one, 5, deployed=98 * MIB), other: of(other, 5, deployed=99 * MIB)})
    assert titles(report) == ["net fp32 t1, any of heavy/light (2 cases)"]
    told = {row.gauge: row.measured for row in report_rows(report)}
    assert told["heap"] == "5 B"
    assert told["deployed"] == "98.00 MiB to 99.00 MiB"


def test_noisy_figures_alone_tell_of_no_two_cases_that_they_are_the_same() -> None:
    measured = {case: of(case, 1, 1, deployed=49 * MIB) for case in GRID[:2]}
    noisy = {
        name: replace(case, readings={Gauge.DEPLOYED: case.readings[Gauge.DEPLOYED]})
        for name, case in measured.items()
    }

    assert len(titles(run(measured))) == 1
    assert len(titles(run(noisy))) == 2


def test_cases_that_end_otherwise_stay_apart() -> None:
    crash, hang = Outcome(OutcomeKind.CRASHED, "SIGSEGV"), Outcome(OutcomeKind.TIMED_OUT)
    ends = {"light": crash, "heavy": crash, "brisk": hang}
    figures = {
        f"net-fp32-{label}-t1": of(f"net-fp32-{label}-t1", 5, outcome=end) for label, end in ends.items()
    }
    told = titles(run(figures))
    assert len(told) == 2
    assert "net-fp32-brisk-t1" in told


def test_networks_and_precisions_stay_apart() -> None:
    cases = ("net-fp32-t1", "net-int8-t1", "ten-fp32-t1")
    assert titles(run({case: of(case, 5) for case in cases})) == list(cases)


def test_verdicts_of_another_kind_stay_apart() -> None:
    report = run({case: of(case, 5) for case in GRID[:2]})
    first, second = report.verdicts
    changed = replace(report, verdicts=(first, replace(second, kind=VerdictKind.SAME)))
    assert len(titles(changed)) == 2


def test_a_usual_label_that_ids_leave_out_is_named_beside_the_others() -> None:
    axes = (
        axis("lightmode", ("light", "heavy"), InId.ALWAYS),
        axis("winograd", ("wino", "spatial"), InId.UNLESS_DEFAULT),
        axis("sgemm", ("gemm", "naive"), InId.UNLESS_DEFAULT),
        axis("packing", ("packed", "scalar"), InId.UNLESS_DEFAULT),
    )
    usual = ("net-fp32-light-t1", "net-fp32-light-naive-t1")
    spatial = ("net-fp32-light-spatial-t1", "net-fp32-light-spatial-naive-t1")
    figures = {case: of(case, 1) for case in usual} | {case: of(case, 2) for case in spatial}
    assert titles(run(figures, axes)) == [
        "net fp32 light wino t1, any of gemm/naive (2 cases)",
        "net fp32 light spatial t1, any of gemm/naive (2 cases)",
    ]


def test_an_id_with_a_label_of_no_axis_is_told_as_it_is() -> None:
    axes = (axis("lightmode", ("light", "heavy"), InId.ALWAYS),)
    cases = ("net-fp32-light-gone-t1", "net-fp32-heavy-gone-t1")
    assert titles(run({case: of(case, 5) for case in cases}, axes)) == [
        "net fp32 gone t1, any of light/heavy (2 cases)"
    ]


def test_a_group_stands_where_its_first_case_would() -> None:
    cases = ("net-fp32-light-t1", "ten-fp32-t1", "net-fp32-heavy-t1")
    told = titles(run({case: of(case, 5) for case in cases}))
    assert [title.partition("-")[0].partition(" ")[0] for title in told] == ["net", "ten"]
