"""The committed campaign: what its figures say, and that docs/campaign.md says the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from ncnn_peakmem import catalog
from ncnn_peakmem.baselines import judge
from ncnn_peakmem.measurement import (
    JUDGED_PHASES,
    Gauge,
    Measurement,
    Outcome,
    OutcomeKind,
    Phase,
    Reading,
)
from ncnn_peakmem.reliability.campaign import Anchor, DataFile, Part, Record, Tally, Trial
from ncnn_peakmem.reliability.campaign.plan import SIZES
from ncnn_peakmem.reports.campaign import render

ROOT = Path(__file__).parents[2]
DATA, PAGE = "docs/campaign.jsonl", "docs/campaign.md"


@pytest.fixture(scope="module")
def record() -> Record:
    found = DataFile(ROOT / DATA).read()
    assert found is not None
    return found


@pytest.fixture(scope="module")
def tally(record: Record) -> Tally:
    return Tally(record)


def test_a_thousand_identical_probes_raised_no_false_alarm(tally: Tally) -> None:
    assert tally.probes >= 1000
    assert tally.false_alarms == ()


def test_half_of_them_on_a_busy_machine_over_all_networks_gauges_and_threads(tally: Tally) -> None:
    trials = [trial for trial in tally.record.trials if trial.part is Part.IDENTICAL]
    article = catalog.load(ROOT / "models.yaml").cases("article")
    for loaded in (False, True):
        half = [trial for trial in trials if trial.loaded is loaded]
        assert len(half) == len(trials) // 2
        assert {trial.case.partition("-")[0] for trial in half} == {case.network for case in article}
        assert {trial.gauge for trial in half} == set(Gauge)
        assert {tally.record.anchors[trial.subject].threads for trial in half} >= {1, 2}


def test_no_growth_at_or_above_the_stated_resolution_was_missed(tally: Tally) -> None:
    assert tally.due > 0
    assert tally.misses == ()


@pytest.mark.parametrize("gauge", [Gauge.HEAP, Gauge.PAGES])
def test_growth_of_every_size_was_injected_in_every_phase(tally: Tally, gauge: Gauge) -> None:
    asked = {
        (trial.case, trial.phase, trial.held_bytes)
        for trial in tally.record.trials
        if trial.part is Part.INJECTED and trial.gauge is gauge
    }
    cases = {case for case, _, _ in asked}

    assert len({case.partition("-")[0] for case in cases}) >= 3
    assert asked == {(case, phase, held) for case in cases for phase in JUDGED_PHASES for held in SIZES}


def test_stated_resolutions_are_what_the_manual_promises(tally: Tally) -> None:
    alone = [first for first in tally.anchors(Part.INJECTED) if first.threads == 1]

    assert {first.resolution for first in alone if first.gauge is Gauge.HEAP} == {512}
    assert {first.resolution for first in alone if first.gauge is Gauge.PAGES} == {32 * 1024}


def test_cases_were_judged_by_the_tolerances_of_today(record: Record) -> None:
    known = catalog.load(ROOT / "models.yaml")
    for first in record.anchors.values():
        today = known.tolerances(first.case.partition("-")[0], first.threads)[first.gauge].same_release
        assert first.tolerance == today, f"{first.case}: run the campaign anew"


def test_verdicts_are_what_the_judge_says_of_the_figures(record: Record) -> None:
    for trial in record.trials:
        if not trial.reason:
            first = record.anchors[trial.subject]
            verdict = judge(measured(trial, first), first.baseline, first.tolerances, same_release=True)
            assert verdict.kind is trial.verdict, trial


def test_nothing_is_red_before_the_phase_that_growth_was_injected_into(record: Record) -> None:
    order = list(Phase)
    for trial in record.trials:
        if trial.phase is not None:
            first = record.anchors[trial.subject]
            red = [
                phase
                for phase, metric, difference in trial.differences
                if difference > first.tolerance_for(phase, metric)
            ]
            assert not [phase for phase in red if order.index(phase) < order.index(trial.phase)], trial


def test_the_page_is_made_from_the_data(tally: Tally) -> None:
    again = f"run ncnn-peakmem campaign {DATA} --stored --page {PAGE}"

    assert (ROOT / PAGE).read_text(encoding="utf-8") == render(tally, data=DATA, page=PAGE), again


def test_the_data_is_small_and_names_no_folder() -> None:
    text = (ROOT / DATA).read_text(encoding="utf-8")

    assert len(text) < 1 << 20
    assert "/" not in text


def measured(trial: Trial, first: Anchor) -> Measurement:
    """The trial's reading, from the first one and what moved since."""
    phases = {
        phase: {
            metric: value + trial.moved.get(phase, {}).get(metric, 0) for metric, value in metrics.items()
        }
        for phase, metrics in first.figures.items()
    }
    reading = Reading(Outcome(OutcomeKind.OK), phases)
    return Measurement(trial.case, first.model, {trial.gauge: reading})
