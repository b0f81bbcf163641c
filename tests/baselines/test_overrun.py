"""What is held against a budget, and what it means for a verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ncnn_peakmem.baselines import Overrun, Verdict, VerdictKind, compare, overruns
from ncnn_peakmem.budget import UNLIMITED, Budget
from ncnn_peakmem.measurement import Gauge, Measurement, MeasurementSet, Metric, Phase, Reading
from ncnn_peakmem.tolerance import GaugeTolerance, Tolerance

CASE = "vgg16-fp32-t1"


def over(measured: MeasurementSet, limits: dict[tuple[Gauge, Phase], int]) -> tuple[Overrun, ...]:
    return overruns(measured.cases[CASE], Budget(limits))


def test_a_budget_is_kept_up_to_its_last_byte(measured: MeasurementSet) -> None:
    place = (Gauge.HEAP, Phase.FIRST)

    assert over(measured, {place: 22_000_000}) == ()
    (found,) = over(measured, {place: 21_999_999})
    assert found == Overrun(*place, Metric.PEAK, 22_000_000, 21_999_999)
    assert found.excess == 1


def test_each_phase_has_its_own_figure(measured: MeasurementSet) -> None:
    """The peak of loading, though it is larger, is not held against the first inference's budget."""
    assert over(measured, {(Gauge.HEAP, Phase.FIRST): 22_500_000}) == ()


def test_process_figures_are_gross(measured: MeasurementSet) -> None:
    (found,) = over(measured, {(Gauge.PAGES, Phase.LOAD_MODEL): 100_000_000})
    assert (found.metric, found.measured) == (Metric.VM_PEAK, 180_000_000)


def test_what_was_not_read_exceeds_nothing(measured: MeasurementSet) -> None:
    not_reached = {(Gauge.PAGES, Phase.FIRST): 0, (Gauge.HEAP, Phase.STEADY): 0}
    not_measured = {(Gauge.DEPLOYED, Phase.LOAD_MODEL): 0}
    assert over(measured, not_reached | not_measured) == ()


def test_a_probe_that_died_exceeds_where_it_came_to(measured: MeasurementSet) -> None:
    assert not measured.cases[CASE].readings[Gauge.PAGES].outcome.ok
    assert over(measured, {(Gauge.PAGES, Phase.LOAD_MODEL): 0})


def test_overruns_come_in_the_order_of_gauges_and_phases(measured: MeasurementSet) -> None:
    places = [(Gauge.HEAP, Phase.LOAD_MODEL), (Gauge.HEAP, Phase.FIRST), (Gauge.PAGES, Phase.LOAD_MODEL)]
    backwards = dict.fromkeys(reversed(places), 1)
    assert [(found.gauge, found.phase) for found in over(measured, backwards)] == places


@pytest.mark.parametrize("kind", VerdictKind)
def test_no_verdict_lets_a_case_over_budget_pass(kind: VerdictKind) -> None:
    found = Overrun(Gauge.HEAP, Phase.STEADY, Metric.PEAK, 2, 1)
    assert not Verdict("case", kind, overruns=(found,)).accepted


def test_one_gauge_of_a_verdict_has_its_overruns_alone() -> None:
    found = Overrun(Gauge.HEAP, Phase.STEADY, Metric.PEAK, 2, 1)
    verdict = Verdict("case", VerdictKind.SAME, overruns=(found,))
    assert verdict.only(Gauge.HEAP).overruns == (found,)
    assert verdict.only(Gauge.PAGES).overruns == ()


def test_comparing_files_judges_the_newer_one(measured: MeasurementSet, heap: Reading) -> None:
    phases = {**heap.phases, Phase.FIRST: {Metric.PEAK: 30_000_000, Metric.LIVE: 1}}
    older = Measurement(CASE, "digest-1", {Gauge.HEAP: replace(heap, phases=phases)})
    exact = dict.fromkeys(Gauge, GaugeTolerance(Tolerance(), Tolerance()))
    budget = Budget({(Gauge.HEAP, Phase.FIRST): 25_000_000})

    def verdict(new: Measurement, old: Measurement) -> Verdict:
        (found,) = compare(
            replace(measured, cases={CASE: new}),
            replace(measured, cases={CASE: old}),
            lambda _: exact,
            same_build=False,
            budgets=lambda _: budget,
        ).verdicts
        return found

    newer = Measurement(CASE, "digest-1", {Gauge.HEAP: heap})
    assert verdict(newer, older).overruns == ()
    assert verdict(older, newer).overruns[0].excess == 5_000_000


def test_no_budget_is_no_limit(measured: MeasurementSet) -> None:
    assert overruns(measured.cases[CASE], UNLIMITED) == ()
