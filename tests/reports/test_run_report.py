from __future__ import annotations

from dataclasses import replace

from ncnn_peakmem.baselines import Verdict, VerdictKind
from ncnn_peakmem.measurement import Caveat, MeasurementSet
from ncnn_peakmem.reports import RunReport


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
