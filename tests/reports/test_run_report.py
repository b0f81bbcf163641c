from __future__ import annotations

import json
from dataclasses import replace

from ncnn_peakmem.baselines import Overrun, Verdict, VerdictKind
from ncnn_peakmem.measurement import Caveat, Gauge, MeasurementSet, Metric, Phase
from ncnn_peakmem.reports import RunReport, json_report, markdown, terminal


def test_the_headline_counts_by_verdict(report: RunReport, calm_report: RunReport) -> None:
    assert report.headline == "74 cases judged: 70 same, 1 improved, 1 regressed, 1 new, 1 broken"
    assert calm_report.headline == "70 cases judged: 70 same"


def test_what_was_measured_but_not_judged_is_counted(report: RunReport) -> None:
    short = replace(report, verdicts=report.verdicts[:-2])
    assert short.headline.endswith("1 new; 2 measured, but not judged")
    assert set(short.unjudged) == {verdict.case for verdict in report.verdicts[-2:]}


def test_a_run_that_measured_nothing_still_speaks(report: RunReport) -> None:
    empty = RunReport(MeasurementSet(report.measured.ncnn, report.measured.machine))
    assert empty.headline == "0 cases measured, none judged"
    assert empty.comparison.startswith("ncnn 1.0.20230223 on linux-x86_64-avx512")


def test_red_and_calm(report: RunReport, calm_report: RunReport, shrunk: Verdict) -> None:
    assert not report.accepted
    assert calm_report.accepted
    assert calm_report.calm
    improved = replace(calm_report, verdicts=(shrunk,))
    assert improved.accepted
    assert not improved.calm
    assert not replace(calm_report, stale=("gone-t1",)).calm


def test_one_reason_of_many_cases_is_told_once(report: RunReport) -> None:
    others = tuple(Verdict(f"new-{number}", VerdictKind.NEW, "no baseline") for number in range(3))
    reasons = replace(report, verdicts=report.verdicts + others).reasons
    assert list(reasons) == ["heap crashed in first: SIGSEGV in <conv|1>; the baseline: ok", "no baseline"]
    assert reasons["no baseline"] == ["alexnet-fp16-light-half-plain-t4", "new-0", "new-1", "new-2"]


def test_a_probe_that_died_unjudged_is_told(report: RunReport, crashed: Verdict) -> None:
    verdicts = tuple(verdict for verdict in report.verdicts if verdict is not crashed)
    reasons = replace(report, verdicts=verdicts).reasons
    assert reasons["crashed in first: SIGSEGV in <conv|1>"] == [crashed.case]


def test_caveats_are_counted_by_case(report: RunReport) -> None:
    assert report.caveats == {Caveat.ASLR_ON: 3}


def test_a_case_over_budget_disturbs_a_calm_run(calm_report: RunReport) -> None:
    first, *others = calm_report.verdicts
    found = Overrun(Gauge.HEAP, Phase.STEADY, Metric.PEAK, 3 * 2**20, 2**20)
    report = replace(calm_report, verdicts=(replace(first, overruns=(found,)), *others))

    told = f"{first.case}   heap steady peak 3.00 MiB, budget 1.00 MiB: +2.00 MiB"
    assert report.headline == "70 cases judged: 70 same; 1 over budget"
    assert not report.calm
    assert not report.accepted
    assert [line.text for line in terminal.lines(report)][3:5] == ["over budget:", told]
    page = markdown.render(report)
    assert "no action needed" not in page
    assert f"- over budget: <code>{first.case}</code>: {told.partition('   ')[2]}" in page
    assert json_report.parse(json_report.render(report)) == (report,)


def test_a_report_from_before_there_were_budgets_is_read(calm_report: RunReport) -> None:
    document = json.loads(json_report.render(calm_report))
    for case in document["runs"][0]["cases"]:
        del case["overruns"]
    assert json_report.parse(json.dumps(document)) == (calm_report,)
