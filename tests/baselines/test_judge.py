from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import pytest

from ncnn_peakmem.baselines.judge import judge
from ncnn_peakmem.baselines.verdict import Change, Verdict, VerdictKind
from ncnn_peakmem.measurement import Gauge, Measurement, Metric, Outcome, OutcomeKind, Phase, Reading
from ncnn_peakmem.tolerance import GaugeTolerance, Tolerance

MIB = 1024 * 1024
OK = Outcome(OutcomeKind.OK)
# A hundred bytes against the same release, 10 % against another, 1 MiB for what the system reads.
TOLERANCES = {
    Gauge.HEAP: GaugeTolerance(between_releases=Tolerance(100, 0.1), same_release=Tolerance(100)),
    Gauge.PAGES: GaugeTolerance(between_releases=Tolerance(MIB), same_release=Tolerance(MIB)),
    Gauge.DEPLOYED: GaugeTolerance(between_releases=Tolerance(4 * MIB), same_release=Tolerance(2 * MIB)),
}

Figures = Mapping[Phase, tuple[int, ...]]


def reading(gauge: Gauge, figures: Figures, outcome: Outcome = OK) -> Reading:
    metrics = {
        Gauge.HEAP: (Metric.PEAK, Metric.LIVE),
        Gauge.PAGES: (Metric.VM_PEAK, Metric.RSS_ANON),
        Gauge.DEPLOYED: (Metric.VM_PEAK, Metric.VM_HWM, Metric.VM_RSS),
    }[gauge]
    phases = {phase: dict(zip(metrics, values, strict=False)) for phase, values in figures.items()}
    return Reading(outcome, phases)


def case(model: str = "digest", **readings: Reading) -> Measurement:
    return Measurement("case", model, {Gauge(name): reading for name, reading in readings.items()})


def heap(peak: int = 10_000, live: int = 5_000, first: int = 8_000) -> Measurement:
    figures = {Phase.LOAD_MODEL: (peak, live), Phase.FIRST: (first, live)}
    return case(heap=reading(Gauge.HEAP, figures))


def ended(
    kind: OutcomeKind, phase: Phase | None = Phase.FIRST, cause: str = "why", peak: int = 10_000
) -> Measurement:
    figures = {} if kind is OutcomeKind.UNSUPPORTED else {Phase.LOAD_MODEL: (peak, 5_000)}
    return case(heap=reading(Gauge.HEAP, figures, Outcome(kind, cause, phase)))


def judged(measured: Measurement, baseline: Measurement | None, *, same_release: bool = True) -> Verdict:
    return judge(measured, baseline, TOLERANCES, same_release=same_release)


@pytest.mark.parametrize(
    ("peak", "kind"),
    [
        (10_000, VerdictKind.SAME),
        (10_100, VerdictKind.SAME),
        (10_101, VerdictKind.REGRESSED),
        (9_900, VerdictKind.SAME),
        (9_899, VerdictKind.IMPROVED),
    ],
)
def test_a_change_counts_from_one_byte_beyond_the_tolerance(peak: int, kind: VerdictKind) -> None:
    verdict = judged(heap(peak), heap())
    assert verdict.kind is kind
    moved = Change(Gauge.HEAP, Phase.LOAD_MODEL, Metric.PEAK, peak, 10_000, 100)
    assert verdict.changes == (() if kind is VerdictKind.SAME else (moved,))
    assert verdict.peaks == (moved,)
    assert verdict.reason == ""


def test_another_release_has_the_wider_tolerance_of_its_baseline() -> None:
    assert judged(heap(11_000), heap(), same_release=False).kind is VerdictKind.SAME
    # A tenth of the measured figure would still take this in.
    verdict = judged(heap(11_001), heap(), same_release=False)
    assert verdict.kind is VerdictKind.REGRESSED
    assert [change.tolerance for change in verdict.changes] == [1_000]


def test_every_phase_and_metric_is_judged_in_order() -> None:
    verdict = judged(heap(peak=9_000, live=5_200, first=8_500), heap())
    assert [(change.phase, change.metric, change.difference) for change in verdict.changes] == [
        (Phase.LOAD_MODEL, Metric.PEAK, -1_000),
        (Phase.LOAD_MODEL, Metric.LIVE, 200),
        (Phase.FIRST, Metric.PEAK, 500),
        (Phase.FIRST, Metric.LIVE, 200),
    ]
    assert verdict.kind is VerdictKind.REGRESSED, "a gain elsewhere does not pay for growth"


def test_the_overall_peak_may_move_to_another_phase() -> None:
    (peak,) = judged(heap(peak=7_000, first=9_500), heap(peak=10_000, first=8_000)).peaks
    assert (peak.phase, peak.measured, peak.baseline) == (Phase.FIRST, 9_500, 10_000)


def pages(floor: int, gross: int, rss: int = 0) -> Measurement:
    figures = {Phase.IMPORT: (floor, rss), Phase.LOAD_MODEL: (gross, rss), Phase.UNLOAD: (gross, rss)}
    return case(pages=reading(Gauge.PAGES, figures))


def test_a_larger_floor_is_no_regression() -> None:
    before, after = pages(150 * MIB, 180 * MIB), pages(160 * MIB, 190 * MIB)
    verdict = judged(after, before)
    assert verdict.kind is VerdictKind.SAME
    (peak,) = verdict.peaks
    assert (peak.phase, peak.measured, peak.baseline) == (Phase.LOAD_MODEL, 30 * MIB, 30 * MIB)


def test_growth_behind_a_smaller_floor_is_a_regression() -> None:
    verdict = judged(pages(140 * MIB, 180 * MIB), pages(150 * MIB, 180 * MIB))
    assert verdict.kind is VerdictKind.REGRESSED
    assert {change.metric for change in verdict.changes} == {Metric.VM_PEAK}


def test_metrics_that_are_not_judged_are_left_alone() -> None:
    def with_hwm(hwm: int) -> Measurement:
        figures = {Phase.LOAD_MODEL: {Metric.VM_PEAK: 1, Metric.RSS_ANON: 1, Metric.VM_HWM: hwm}}
        return case(pages=Reading(OK, figures))

    assert judged(with_hwm(99 * MIB), with_hwm(1)).kind is VerdictKind.SAME


def test_each_gauge_has_its_own_tolerance() -> None:
    def both(extra: int) -> Measurement:
        return case(
            heap=reading(Gauge.HEAP, {Phase.FIRST: (MIB, MIB)}),
            deployed=reading(Gauge.DEPLOYED, {Phase.FIRST: (9 * MIB + extra, MIB, MIB)}),
        )

    assert judged(both(2 * MIB), both(0)).kind is VerdictKind.SAME
    assert judged(both(2 * MIB + 1), both(0)).kind is VerdictKind.REGRESSED
    assert judged(both(2 * MIB + 1), both(0), same_release=False).kind is VerdictKind.SAME


def test_without_a_baseline_a_case_is_new() -> None:
    assert judged(heap(), None) == Verdict("case", VerdictKind.NEW, "no baseline")
    verdict = judged(ended(OutcomeKind.CRASHED, cause="SIGSEGV"), None)
    assert verdict.kind is VerdictKind.NEW
    assert verdict.reason == "no baseline; heap crashed in first: SIGSEGV"


def test_another_model_is_new_and_its_figures_are_not_compared() -> None:
    baseline = Measurement("case", "other", heap().readings)
    verdict = judged(heap(99_999), baseline)
    assert verdict.kind is VerdictKind.NEW
    assert verdict.reason.startswith("the converted model differs from the baseline's")
    assert verdict.changes == verdict.peaks == ()


def test_a_gauge_that_the_baseline_lacks_is_new_and_named() -> None:
    both = case(heap=heap().readings[Gauge.HEAP], pages=pages(1, 2).readings[Gauge.PAGES])
    verdict = judged(both, heap())
    assert (verdict.kind, verdict.reason) == (VerdictKind.NEW, "pages is not in the baseline")
    assert [peak.gauge for peak in verdict.peaks] == [Gauge.HEAP]


def test_a_new_gauge_does_not_hide_a_regression() -> None:
    both = case(heap=heap(20_000).readings[Gauge.HEAP], pages=pages(1, 2).readings[Gauge.PAGES])
    assert judged(both, heap()).kind is VerdictKind.REGRESSED


def test_a_gauge_that_was_left_out_this_time_is_not_judged() -> None:
    both = case(heap=heap().readings[Gauge.HEAP], pages=pages(1, 2).readings[Gauge.PAGES])
    assert judged(heap(), both).kind is VerdictKind.SAME


def test_a_figure_that_only_one_side_has_is_not_passed_over() -> None:
    short = case(heap=reading(Gauge.HEAP, {Phase.LOAD_MODEL: (10_000, 5_000)}))
    verdict = judged(short, heap())
    assert verdict.kind is VerdictKind.NEW
    assert verdict.reason == "heap first peak was not measured, but is in the baseline"
    verdict = judged(heap(), short)
    assert (verdict.kind, verdict.reason) == (VerdictKind.NEW, "heap first peak is not in the baseline")


def test_the_floor_is_no_figure_of_the_case() -> None:
    figures = {Phase.LOAD_MODEL: (10_000, 5_000)}
    without, with_floor = (
        case(heap=reading(Gauge.HEAP, phases)) for phases in (figures, {Phase.IMPORT: (0, 0), **figures})
    )
    assert judged(with_floor, without).kind is judged(without, with_floor).kind is VerdictKind.SAME


def test_a_case_that_measured_nothing_is_never_green() -> None:
    assert judged(case(), heap()).kind is VerdictKind.BROKEN


def test_a_worse_outcome_is_broken_and_named_and_the_rest_is_still_compared() -> None:
    verdict = judged(ended(OutcomeKind.CRASHED, cause="SIGSEGV", peak=12_000), heap())
    assert verdict.kind is VerdictKind.BROKEN
    assert verdict.reason == "heap crashed in first: SIGSEGV; the baseline: ok"
    assert [(change.phase, change.difference) for change in verdict.changes] == [(Phase.LOAD_MODEL, 2_000)]


def test_peaks_are_compared_over_the_phases_that_both_sides_reached() -> None:
    died = case(heap=reading(Gauge.HEAP, {Phase.LOAD_MODEL: (1_000, 0)}, Outcome(OutcomeKind.CRASHED)))
    whole = case(heap=reading(Gauge.HEAP, {Phase.LOAD_MODEL: (1_000, 0), Phase.FIRST: (9_000, 0)}))
    (peak,) = judged(died, whole).peaks
    assert (peak.measured, peak.baseline) == (1_000, 1_000)


def test_the_same_outcome_is_the_same_and_says_so() -> None:
    verdict = judged(ended(OutcomeKind.OUT_OF_MEMORY), ended(OutcomeKind.OUT_OF_MEMORY, cause="another text"))
    assert verdict.kind is VerdictKind.SAME
    assert verdict.reason == "heap out of memory in first: why, as in the baseline"


def test_the_same_outcome_does_not_hide_a_regression_before_it() -> None:
    verdict = judged(ended(OutcomeKind.OUT_OF_MEMORY, peak=20_000), ended(OutcomeKind.OUT_OF_MEMORY))
    assert verdict.kind is VerdictKind.REGRESSED


def test_the_same_outcome_in_an_earlier_phase_is_worse() -> None:
    sooner, later = ended(OutcomeKind.CRASHED, Phase.LOAD_MODEL), ended(OutcomeKind.CRASHED, Phase.STEADY)
    unknown = ended(OutcomeKind.CRASHED, None)
    assert judged(sooner, later).kind is VerdictKind.BROKEN
    assert judged(later, sooner).kind is VerdictKind.IMPROVED
    assert judged(unknown, later).kind is VerdictKind.SAME


def test_a_probe_that_runs_again_is_an_improvement() -> None:
    verdict = judged(heap(), ended(OutcomeKind.TIMED_OUT))
    assert (verdict.kind, verdict.reason) == (
        VerdictKind.IMPROVED,
        "heap ok; the baseline: timed out in first: why",
    )


MILDEST_FIRST = [
    OutcomeKind.UNSUPPORTED,
    OutcomeKind.FAILED,
    OutcomeKind.TIMED_OUT,
    OutcomeKind.OUT_OF_MEMORY,
    OutcomeKind.CRASHED,
]


@pytest.mark.parametrize(("milder", "worse"), list(pairwise(MILDEST_FIRST)))
def test_outcomes_have_an_order_of_severity(milder: OutcomeKind, worse: OutcomeKind) -> None:
    # The phases say the opposite, and must not count between two kinds.
    now, then = ended(worse, Phase.STEADY), ended(milder, Phase.IMPORT)
    assert judged(now, then).kind is VerdictKind.BROKEN
    assert judged(then, now).kind is VerdictKind.IMPROVED
    assert judged(now, heap()).kind is VerdictKind.BROKEN


def test_reasons_of_all_gauges_are_told() -> None:
    crashed = Outcome(OutcomeKind.CRASHED, "SIGSEGV", Phase.FIRST)
    measured = case(heap=reading(Gauge.HEAP, {}, crashed), pages=reading(Gauge.PAGES, {}, crashed))
    baseline = case(heap=reading(Gauge.HEAP, {}), pages=reading(Gauge.PAGES, {}))
    assert judged(measured, baseline).reason == (
        "heap crashed in first: SIGSEGV; the baseline: ok; pages crashed in first: SIGSEGV; the baseline: ok"
    )
