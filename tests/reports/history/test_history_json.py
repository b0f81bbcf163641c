from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.reports.history_json import render
from ncnn_peakmem.reports.history_report import HistoryReport

MIB = 2**20
LIGHT = "grows-fp32-light-half-q8-t1"


@pytest.fixture
def document(report: HistoryReport) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(render(report))
    return parsed


def of_case(entries: list[dict[str, Any]], case: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["case"] == case)


def test_programs_find_what_was_measured(document: dict[str, Any], report: HistoryReport) -> None:
    assert document["schema"] == 1
    assert document["machine"]["id"] == report.history.machine.id
    assert document["machine"]["physical_cores"] == 2
    assert document["gauges"] == ["heap", "pages"]
    assert document["releases"] == ["1.0.20230101", "1.0.20230201", "1.0.20230301", "1.0.20230401"]
    assert {"pattern": "falls-fp32-t1", "cases": ["falls-fp32-t1"]} in document["folds"]


def test_every_figure_is_a_series_with_nulls_where_there_is_none(document: dict[str, Any]) -> None:
    falls = of_case(document["cases"], "falls-fp32-t1")
    assert falls["outcomes"]["heap"] == ["crashed", None, "ok", "ok"]
    assert falls["models"] == ["model", None, "model", "model"]
    series = {(entry["gauge"], entry["phase"], entry["metric"]): entry["bytes"] for entry in falls["figures"]}
    assert series["heap", "load_model", "peak"] == [8 * MIB, None, 8 * MIB, 7 * MIB]
    assert series["heap", None, "peak"] == [None, None, 10 * MIB, 9 * MIB]
    assert series["pages", "first", "vm_peak"] == [None, None, 10 * MIB, 11 * MIB]


def test_change_points_carry_what_is_derived(document: dict[str, Any]) -> None:
    change = of_case(document["change_points"], LIGHT)
    assert change == {
        "gauge": "heap",
        "phase": "load_model",
        "metric": "peak",
        "case": LIGHT,
        "release": "1.0.20230201",
        "previous": "1.0.20230101",
        "since": "1.0.20230101",
        "before": 8 * MIB,
        "last": 8 * MIB,
        "after": 12 * MIB,
        "crept": False,
        "skipped": [],
        "difference": 4 * MIB,
        "percent": 50.0,
        "echo": False,
    }
    assert sum(change["echo"] for change in document["change_points"]) == 31


def test_standings_have_the_whole_run_and_every_figure(document: dict[str, Any]) -> None:
    of_light = [place for place in document["standings"] if place["case"] == LIGHT]
    (whole,) = [place for place in of_light if place["phase"] is None and place["gauge"] == "heap"]
    assert whole["best"] == {"release": "1.0.20230101", "bytes": 10 * MIB}
    assert (whole["difference"], whole["percent"]) == (4 * MIB, 40.0)
    assert len(of_light) == 2 + len([entry for entry in of_light if entry["phase"]])


def test_outcomes_axes_and_gaps_are_there(document: dict[str, Any]) -> None:
    (gap,) = document["gaps"]
    assert (gap["releases"], gap["gauges"]) == (["1.0.20230201"], ["heap", "pages"])
    changed = [(change["case"], change["gauge"]) for change in document["outcome_changes"]]
    assert changed == [("falls-fp32-t1", "heap"), ("falls-fp32-t1", "pages")]
    axis = next(
        effect
        for effect in document["axis_effects"]
        if effect["axis"] == {"one": "plain", "other": "q8"} and effect["gauge"] == "heap"
    )
    assert (axis["pairs"], axis["differing"], axis["least"]) == (128, 0, None)
    light = next(effect for effect in document["axis_effects"] if effect["axis"]["other"] == "light")
    assert (light["least"]["release"], light["least"]["difference"]) == ("1.0.20230101", -8 * MIB)


def test_only_the_gauges_asked_for_are_told(report: HistoryReport) -> None:
    document = json.loads(render(replace(report, gauges=(Gauge.PAGES,))))
    gauges = {entry["gauge"] for case in document["cases"] for entry in case["figures"]}
    assert gauges == {"pages"}
