from __future__ import annotations

from dataclasses import replace

from ncnn_peakmem.history import Axis, History
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import Gauge, MeasurementSet, OutcomeKind
from ncnn_peakmem.reports.figure_name import in_short
from ncnn_peakmem.reports.history_report import HistoryReport
from ncnn_peakmem.tolerance import GaugeTolerance, Tolerance, Tolerances
from tests.reports.history.conftest import measured

MIB = 2**20


def test_cases_that_are_the_same_to_the_byte_are_folded(report: HistoryReport) -> None:
    assert [fold.pattern for fold in report.folds] == [
        "falls-fp32-t1",
        "grows-fp32-heavy-half-*-t1",
        "grows-fp32-heavy-single-*-t1",
        "grows-fp32-light-half-*-t1",
        "grows-fp32-light-single-*-t1",
        "swaps-fp32-t1",
    ]
    assert report.networks == ("falls", "grows", "swaps")


def test_one_byte_in_one_figure_keeps_a_case_apart(report: HistoryReport) -> None:
    first, *others = report.history.releases
    case = "grows-fp32-light-half-q8-t1"
    heap = first.cases[case].readings[Gauge.HEAP]
    odd = {
        phase: {metric: size + 1 for metric, size in figures.items()}
        for phase, figures in heap.phases.items()
    }
    cases = {
        **first.cases,
        case: replace(
            first.cases[case],
            readings={**first.cases[case].readings, Gauge.HEAP: replace(heap, phases=odd)},
        ),
    }
    history = History(report.history.machine, (replace(first, cases=cases), *others))
    patterns = [fold.pattern for fold in replace(report, history=history).folds]
    assert {"grows-fp32-light-half-plain-t1", case} <= set(patterns)


def test_movements_are_folded_wider_than_cases_and_echoes_left_out(report: HistoryReport) -> None:
    told = [
        (movement.release, movement.fold.pattern, in_short(movement.figures), movement.changes[0].difference)
        for movement in report.movements
    ]
    assert told == [
        ("1.0.20230201", "grows-fp32-light-*-*-t1", "heap load_model/first/steady peak+live", 4 * MIB),
        ("1.0.20230401", "falls-fp32-t1", "heap load_model/first/steady peak+live", -MIB),
        ("1.0.20230401", "grows-fp32-heavy-*-*-t1", "heap first/steady peak+live", 20 * 1024),
        ("1.0.20230401", "falls-fp32-t1", "pages load_model/first/steady vm_peak", MIB),
    ]
    assert report.movements[2].changes[0].crept
    assert not report.movements[0].changes[0].crept


def test_what_the_process_does_like_the_heap_is_an_echo(report: HistoryReport) -> None:
    assert report.echoes_by_release == {"1.0.20230201": 28, "1.0.20230401": 3}
    assert {change.figure.gauge for change in report.echoes} == {Gauge.PAGES}
    assert not set(report.echoes) & {change for found in report.movements for change in found.changes}


def test_change_points_are_those_of_every_case_in_the_order_of_releases(report: HistoryReport) -> None:
    releases = [change.release for change in report.changes]
    assert releases == sorted(releases)
    assert len([change for change in report.changes if change.case == "grows-fp32-light-half-q8-t1"]) == 14


def test_a_standing_is_of_the_whole_run(report: HistoryReport) -> None:
    place = report.peak_standings["grows-fp32-light-half-q8-t1"][Gauge.HEAP]
    assert (place.first.bytes, place.best.release, place.worst.release) == (
        10 * MIB,
        "1.0.20230101",
        "1.0.20230201",
    )
    assert (place.today.bytes, place.difference) == (14 * MIB, 4 * MIB)
    assert report.exceeds(place)
    assert not report.exceeds(report.peak_standings["falls-fp32-t1"][Gauge.HEAP])


def test_a_difference_within_tolerance_is_not_above_the_best(report: HistoryReport) -> None:
    place = report.peak_standings["grows-fp32-heavy-half-q8-t1"][Gauge.HEAP]
    assert place.difference == 20 * 1024
    assert report.exceeds(place)
    assert not report.exceeds(replace(place, best=replace(place.best, bytes=(place.best.bytes or 0) + 4096)))


def test_another_outcome_is_told_for_all_gauges_at_once(report: HistoryReport) -> None:
    (movement,) = report.outcome_movements
    assert (movement.release, movement.previous) == ("1.0.20230301", "1.0.20230101")
    assert movement.gauges == (Gauge.HEAP, Gauge.PAGES)
    assert (movement.before.kind, movement.after.kind) == (OutcomeKind.CRASHED, OutcomeKind.OK)
    assert report.failing == ()


def test_a_case_that_fails_today_is_named(history: History, report: HistoryReport) -> None:
    only_first = replace(report, history=History(history.machine, history.releases[:2]))
    ((fold, outcome),) = only_first.failing
    assert (fold.pattern, outcome.cause) == ("falls-fp32-t1", "SIGSEGV")
    assert "falls-fp32-t1" not in only_first.peak_standings


def test_another_model_starts_anew(report: HistoryReport) -> None:
    assert {release: [fold.pattern for fold in folds] for release, folds in report.other_models.items()} == {
        "1.0.20230301": ["swaps-fp32-t1"]
    }
    assert not [change for change in report.changes if change.case.startswith("swaps")]


def test_what_was_not_measured_is_told_once_for_all_gauges(report: HistoryReport) -> None:
    (gap,) = report.gaps
    assert (gap.releases, gap.gauges) == (("1.0.20230201",), (Gauge.HEAP, Gauge.PAGES))
    assert [fold.pattern for fold in gap.folds] == ["falls-fp32-t1"]


def test_a_gauge_is_told_of_only_where_it_is_asked_for(report: HistoryReport) -> None:
    assert replace(report, gauges=(Gauge.DEPLOYED,)).changes == ()
    heap = replace(report, gauges=(Gauge.HEAP,))
    assert {figure.gauge for figure in heap.figures} == {Gauge.HEAP}
    assert not heap.echoes
    assert [gap.gauges for gap in heap.gaps] == [(Gauge.HEAP,)]


def test_options_that_never_change_anything_are_seen_to(report: HistoryReport) -> None:
    heap = {effect.axis: effect for effect in report.axis_effects if effect.gauge is Gauge.HEAP}
    assert (heap[Axis("plain", "q8")].pairs, heap[Axis("plain", "q8")].differing) == (128, 0)
    assert heap[Axis("half", "single")].differing == 112
    least = heap[Axis("heavy", "light")].least
    assert least is not None
    assert (least.release, least.bytes) == ("1.0.20230101", -8 * MIB)


def test_the_effect_on_peaks_is_that_of_the_newest_release(report: HistoryReport) -> None:
    light = [found for found in report.peak_differences if found.axis == Axis("heavy", "light")]
    assert {found.release for found in light} == {"1.0.20230401"}
    assert {found.bytes for found in light if found.figure.gauge is Gauge.HEAP} == {-4 * MIB - 20 * 1024}


def test_tolerances_are_the_cases_own(history: History, report: HistoryReport) -> None:
    asked: set[str] = set()

    def tolerances(case: str) -> Tolerances:
        asked.add(case)
        return report.tolerances(case)

    assert HistoryReport(history, tolerances).changes == report.changes
    assert asked == {*history.cases}


def test_cases_that_differ_in_threads_have_the_noise_of_the_noisier(machine: MachineClass) -> None:
    def tolerances(case: str) -> Tolerances:
        same_release = Tolerance(MIB if case.endswith("-t2") else 0)
        return dict.fromkeys(Gauge, GaugeTolerance(Tolerance(), same_release))

    cases = {case.case: case for case in (measured("net-fp32-t1", 8 * MIB), measured("net-fp32-t2", 9 * MIB))}
    history = History(machine, (MeasurementSet("1.0.20230101", machine, cases),))
    effects = HistoryReport(history, tolerances).axis_effects
    assert {effect.differing for effect in effects} == {0}
    assert effects[0].pairs > 0


def test_releases_have_short_names_where_there_is_little_room(report: HistoryReport) -> None:
    assert [report.release_name(name) for name in ("1.0.20230101", "2.1")] == ["20230101", "2.1"]
