from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ncnn_peakmem.baselines import Verdict
from ncnn_peakmem.reports import RunReport
from ncnn_peakmem.reports.json_report import parse, render


def test_a_report_reads_back_equal(report: RunReport) -> None:
    bare = replace(
        report, verdicts=report.verdicts[:3], title="1.0.20230223 (own.whl)", digest="d1", stale=()
    )
    assert parse(render(report, bare)) == (report, bare)


def test_programs_find_what_they_need(report: RunReport, grown: Verdict) -> None:
    whole = json.loads(render(report))
    assert whole["schema"] == 2
    (document,) = whole["runs"]
    assert document["ncnn"] == "1.0.20230223"
    assert document["machine"]["id"] == report.measured.machine.id
    assert document["accepted"] is False
    assert document["counts"] == {"same": 70, "improved": 1, "regressed": 1, "new": 1, "broken": 1}
    (case,) = [case for case in document["cases"] if case["case"] == grown.case]
    assert case["verdict"] == "regressed"
    assert case["against"] == "1.0.20221128"
    assert case["changes"][0] == {
        "gauge": "heap",
        "phase": "load_model",
        "metric": "peak",
        "measured": 26_602_373,
        "baseline": 22_187_868,
        "tolerance": 22_187,
        "difference": 4_414_505,
        "percent": pytest.approx(19.896, abs=0.001),
    }
    assert case["measurement"]["readings"]["pages"]["phases"]["import"]["vm_peak"] == 150 * 2**20


def test_a_verdict_without_a_measurement_survives(report: RunReport, grown: Verdict) -> None:
    measured = replace(report.measured, cases={})
    lone = replace(report, measured=measured, verdicts=(grown,))
    assert parse(render(lone)) == (lone,)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"schema": 2}', '{"schema": 1, "cases": []}', '{"schema": 2, "runs": [{"cases": []}]}'],
)
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)
