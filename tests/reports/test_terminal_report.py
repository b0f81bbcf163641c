from __future__ import annotations

from dataclasses import replace

from ncnn_peakmem.baselines import Change, Verdict, VerdictKind
from ncnn_peakmem.measurement import (
    Caveat,
    Gauge,
    Measurement,
    Metric,
    Outcome,
    OutcomeKind,
    Phase,
    Reading,
)
from ncnn_peakmem.reports import RunReport
from ncnn_peakmem.reports.terminal import Line, Style, lines


def texts(report: RunReport, *, verbose: bool = False) -> list[str]:
    return [line.text for line in lines(report, verbose=verbose)]


def test_the_whole_section(report: RunReport, grown: Verdict) -> None:
    assert texts(report) == [
        "74 cases judged: 70 same, 1 improved, 1 regressed, 1 new, 1 broken",
        "ncnn 1.0.20230223 against 1.0.20221128 (measured in this run) on " + report.measured.machine.id,
        "",
        "case                                gauge   measured   baseline     change  phase",
        "broken:",
        "vgg16-int8-heavy-single-q8-t1       heap",
        "regressed:",
        "mobilenet_v1-fp32-light-half-q8-t1  heap   25.37 MiB  21.16 MiB  +4.21 MiB  load_model",
        "mobilenet_v1-fp32-light-half-q8-t1  pages  45.00 MiB  40.00 MiB  +5.00 MiB  first",
        "new:",
        "alexnet-fp16-light-half-plain-t4    heap    8.00 MiB",
        "alexnet-fp16-light-half-plain-t4    pages   8.00 MiB",
        "improved:",
        "resnet18-fp32-light-half-q8-t1      heap   10.00 MiB  12.00 MiB  -2.00 MiB  first",
        "",
        "vgg16-int8-heavy-single-q8-t1: heap crashed in first: SIGSEGV in <conv|1>; the baseline: ok",
        "alexnet-fp16-light-half-plain-t4: no baseline",
        "",
        "pages vm_peak, largest: 175.00 MiB gross = 150.00 MiB floor + 25.00 MiB net (" + grown.case + ")",
        "",
        "2 baselines have no case in models.yaml: gone-t1, lost-t1; remove them from " + report.baseline_file,
        "",
        f"caveat: {Caveat.ASLR_ON.advice} (3 cases)",
    ]


def test_same_cases_are_only_counted_unless_asked_for(calm_report: RunReport) -> None:
    assert not [text for text in texts(calm_report) if "calm-69-t1" in text]
    told = [text for text in texts(calm_report, verbose=True) if text.startswith("calm-")]
    assert len(told) == 70
    assert told[0].startswith("calm-69-t1"), "the largest change first"


def test_lines_are_coloured_by_what_they_mean(report: RunReport, calm_report: RunReport) -> None:
    styles = {line.text.partition(" ")[0]: line.style for line in lines(report)}
    assert styles["74"] is Style.BAD
    assert styles["regressed:"] is styles["broken:"] is Style.BAD
    assert styles["improved:"] is Style.GOOD
    assert lines(calm_report)[0].style is Style.GOOD
    assert Line("text", Style.BAD).markup == {"red": True}
    assert Line("text").markup == {}


def test_the_longest_built_in_case_fits_a_hundred_columns(report: RunReport) -> None:
    figures = (1600 * 2**20, 1500 * 2**20, 1)
    moved = Change(Gauge.DEPLOYED, Phase.LOAD_MODEL, Metric.VM_PEAK, *figures)
    case = "shufflenet_v2-fp32-light-single-plain-t1"[:39]
    verdict = Verdict(case, VerdictKind.REGRESSED, changes=(moved,), peaks=(moved,))
    table = [text for text in texts(replace(report, verdicts=(verdict,))) if text.startswith(("case", case))]
    assert len(table) == 2
    assert all(len(text) <= 100 for text in table)


def test_a_change_beside_the_headline_metric_names_it(report: RunReport) -> None:
    live = Change(Gauge.HEAP, Phase.STEADY, Metric.LIVE, 300, 200, 1)
    verdict = Verdict("case", VerdictKind.REGRESSED, changes=(live,))
    assert any(text.endswith("+100 B  steady live") for text in texts(replace(report, verdicts=(verdict,))))


def test_one_stale_baseline_and_many(report: RunReport) -> None:
    one = replace(report, stale=("gone-t1",), baseline_file="")
    assert "1 baseline has no case in models.yaml: gone-t1; remove it from the baseline file" in texts(one)
    many = replace(report, stale=tuple(f"gone-{number}" for number in range(25)))
    (told,) = [text for text in texts(many) if "baselines have no case" in text]
    assert "gone-9 and 15 more; remove them" in told


def test_growth_in_looped_inference_is_shown_with_both_peaks(calm_report: RunReport) -> None:
    heap = {
        Phase.FIRST: {Metric.PEAK: 36 * 2**20, Metric.LIVE: 0},
        Phase.STEADY: {Metric.PEAK: 40 * 2**20, Metric.LIVE: 0},
    }
    reading = Reading(Outcome(OutcomeKind.OK), heap, loops=1168, settled_at=583)
    grown = Measurement("shuffle-t1", "digest", {Gauge.HEAP: reading})
    measured = replace(calm_report.measured, cases={"shuffle-t1": grown})

    (told,) = (line for line in texts(replace(calm_report, measured=measured)) if "grows" in line)

    assert told.startswith("heap grows after the first inference in 1 case, most by 4.00 MiB: ")
    assert told.endswith("36.00 MiB in the first, 40.00 MiB from loop 583 on (shuffle-t1)")
