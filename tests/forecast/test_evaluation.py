"""Forecasts beside the stored baselines, and the page that tells of it.

Where recipes, baselines or rules changed, `NCNN_PEAKMEM_WRITE_PAGE=1 pytest tests/forecast` writes it again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from packaging.version import Version

from ncnn_peakmem import catalog
from ncnn_peakmem.baselines import read
from ncnn_peakmem.conversion.ncnn_files import model_digest
from ncnn_peakmem.forecast import Learned, Library
from ncnn_peakmem.forecast.evaluation import Score, Trial, trials
from ncnn_peakmem.measurement import MeasurementSet
from ncnn_peakmem.network import ModelFiles
from ncnn_peakmem.reports.forecast import Evaluation, page

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "forecast.md"
TABLES = "<!-- What follows is written by tests/forecast/test_evaluation.py. -->\n"
MEDIAN, WORST = 2.0, 5.0
"""How far forecasts may be off, in percent."""


def tried(
    models: Mapping[str, ModelFiles], measured: MeasurementSet, learned: Mapping[str, Learned | None]
) -> list[Trial]:
    known = catalog.load(ROOT / "models.yaml")
    loops = {name: network.loops for name, network in known.networks.items()}
    return list(trials(known.cases("article"), models, loops, measured, learned))


@pytest.fixture(scope="module")
def baselines() -> list[MeasurementSet]:
    """Those of the machine class that recipes were learned on, oldest release first."""
    (name,) = Library().machines()
    return sorted(map(read, (ROOT / "baselines" / name).glob("*.json")), key=lambda one: Version(one.ncnn))


@pytest.fixture(scope="module")
def evaluation(models: dict[str, ModelFiles], baselines: list[MeasurementSet]) -> Evaluation:
    (name,) = Library().machines()
    own: list[Trial] = []
    others: list[Trial] = []
    by_rule: list[Trial] = []
    for measured in baselines:
        by_rule += tried(models, measured, dict.fromkeys(models))
        if Version(measured.ncnn) in Library().releases(name):
            learned = Library().load(name, Version(measured.ncnn))
            own += tried(models, measured, dict.fromkeys(models, learned))
            others += tried(models, measured, {net: learned.without_network(net) for net in models})
    return Evaluation(name, own, others, by_rule)


def test_graphs_are_those_that_were_measured(
    models: dict[str, ModelFiles], baselines: list[MeasurementSet]
) -> None:
    digests = {name: model_digest(net.param, net.bin, net.inputs) for name, net in models.items()}
    for name, digest in digests.items():
        measured = [case for id_, case in baselines[-1].cases.items() if id_.startswith(f"{name}-fp32-")]
        assert len(measured) == 8
        assert {case.model for case in measured} == {digest}


def test_oldest_and_newest_release_are_told_within_the_bounds(evaluation: Evaluation) -> None:
    for found in (evaluation.learned, evaluation.by_others):
        score = Score.of(found)
        assert score.cases == 9 * 8 * 2
        assert score.median <= MEDIAN
        assert score.worst <= WORST


def test_rules_alone_are_within_the_bounds_on_every_release(evaluation: Evaluation) -> None:
    for release in {trial.release for trial in evaluation.by_rule}:
        score = Score.of([trial for trial in evaluation.by_rule if trial.release == release])
        assert score.median <= MEDIAN, release
        assert score.worst <= WORST, release


def test_what_was_learned_is_what_the_forecast_rests_on(evaluation: Evaluation) -> None:
    assert {trial.computed for trial in evaluation.learned} == {0.0}
    assert min(trial.computed for trial in evaluation.by_others) > 0.0
    assert min(trial.computed for trial in evaluation.by_rule) > 0.5


def test_page_is_up_to_date(evaluation: Evaluation) -> None:
    words, _, tables = PAGE.read_text().partition(TABLES)
    if os.environ.get("NCNN_PEAKMEM_WRITE_PAGE"):
        PAGE.write_text(words + TABLES + "\n" + page(evaluation))
    else:
        assert tables.strip() == page(evaluation).strip()
