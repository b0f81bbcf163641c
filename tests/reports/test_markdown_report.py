from __future__ import annotations

from dataclasses import replace

import pytest

from ncnn_peakmem.baselines import Change, Verdict, VerdictKind
from ncnn_peakmem.measurement import Gauge, Metric, Phase
from ncnn_peakmem.reports import RunReport
from ncnn_peakmem.reports.markdown import LIMIT_BYTES, render


def test_a_calm_run_needs_no_action(calm_report: RunReport) -> None:
    text = render(calm_report)
    assert text.startswith("## ncnn-peakmem: no action needed, 70 cases judged: 70 same\n")
    before, folded = text.split("<details>")
    assert "|" not in before
    assert folded.count("| same |") == 70


def test_what_moved_is_in_sight_and_the_rest_folded(report: RunReport) -> None:
    before, folded = render(report).split("<details>")
    rows = [line for line in before.splitlines() if line.startswith("|")]
    assert rows[0].startswith("| verdict | case | gauge | measured | baseline | change |")
    assert rows[3] == (
        "| regressed | <code>mobilenet_v1-fp32-light-half-q8-t1</code> | heap "
        "| 25.37 MiB | 21.16 MiB | +4.21 MiB | +19.9 % | load_model |"
    )
    assert "same |" not in before
    assert "<summary>70 more rows</summary>" in folded
    assert "</details>" in folded
    assert "no longer in models.yaml: <code>gone-t1</code>, <code>lost-t1</code>" in before


def test_no_more_than_the_worst_rows_are_in_sight(report: RunReport) -> None:
    before, folded = render(report, worst=2).split("<details>")
    assert before.count("</code> | heap") == 2
    assert "| regressed |" in before
    assert "| improved |" in folded


def test_a_table_has_a_cell_for_every_column(report: RunReport) -> None:
    rows = [line for line in render(report).splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {9}


def test_what_a_cause_quotes_stays_text(report: RunReport) -> None:
    nasty = "crashed: <img src=x>|[a](b) `c` *d* \\|\n\n# &amp;"
    text = render(replace(report, verdicts=(Verdict("a|b<i>", VerdictKind.BROKEN, nasty),)))
    (row,) = [line for line in text.splitlines() if line.startswith("| broken")]
    assert row == "| broken | <code>a&#124;b&#60;i&#62;</code> |  |  |  |  |  |  |"
    (line,) = [line for line in text.splitlines() if "img" in line]
    body = line.rpartition("</code>")[2]
    assert not set("<>|`*[]\\") & set(body)
    assert "&#38;amp;" in body


@pytest.mark.parametrize("kind", [VerdictKind.SAME, VerdictKind.BROKEN])
def test_twenty_thousand_cases_stay_under_the_limit(report: RunReport, kind: VerdictKind) -> None:
    peak = Change(Gauge.HEAP, Phase.FIRST, Metric.PEAK, 2_000_000, 1_000_000, 100)
    verdicts = tuple(
        Verdict(f"réseau_{'é' * 30}_{number}-fp32", kind, f"reason {number} " + "é" * 200, peaks=(peak,))
        for number in range(20_000)
    )
    stale = tuple(f"stale-{number}" for number in range(20_000))
    text = render(replace(report, verdicts=verdicts, stale=stale), worst=30)
    assert len(text.encode()) < LIMIT_BYTES
    assert len(text.encode()) > LIMIT_BYTES * 0.9
    rows = text.count("</code> | heap")
    assert f"{20_000 - rows} rows left out" in text
    assert text.count("<details>") == text.count("</details>") == 1


def test_a_limit_that_takes_nothing_says_how_much_it_left_out(report: RunReport) -> None:
    assert "76 rows left out" in render(report, limit=0)
