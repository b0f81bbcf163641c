from __future__ import annotations

from dataclasses import replace

import pytest

from ncnn_peakmem.baselines import Change, Overrun, Verdict, VerdictKind
from ncnn_peakmem.measurement import Caveat, Gauge, Metric, Phase
from ncnn_peakmem.reports import explain

COMMAND = "pytest benchmarks/ -k 'mobilenet_v1-fp32-light-half-q8-t1' --peakmem-update"


def explained(verdict: Verdict, **more: object) -> list[str]:
    arguments: dict[str, object] = {
        "measured_version": "1.0.20230223",
        "machine_id": "linux-x86_64",
        "command": COMMAND,
    }
    return explain(verdict, **(arguments | more)).splitlines()  # type: ignore[arg-type]


def test_a_regression_in_five_lines(grown: Verdict) -> None:
    figures = "heap peak 25.37 MiB, baseline 21.16 MiB: +4.21 MiB (+19.9 %), tolerance 21.7 KiB"
    assert explained(grown) == [
        f"mobilenet_v1-fp32-light-half-q8-t1   {figures}",
        "  ncnn 1.0.20230223 against 1.0.20221128 on linux-x86_64",
        "  heap     load_model peak +4.21 MiB, live +1.00 MiB   first/steady live +1.00 MiB",
        "  pages    first vm_peak +5.00 MiB",
        f"  accept   {COMMAND}",
    ]


def test_all_that_can_be_told_takes_seven_lines(grown: Verdict) -> None:
    deployed = Change(Gauge.DEPLOYED, Phase.FIRST, Metric.VM_RSS, 9_000_000, 8_000_000, 10)
    changes = (*grown.changes, deployed)
    whole = replace(grown, changes=changes, reason="heap ok; the baseline: timed out")
    told = explained(whole, caveats=(Caveat.ASLR_ON, Caveat.THP_ON))
    assert len(told) == 7
    advice = f"{Caveat.ASLR_ON.advice}; {Caveat.THP_ON.advice}"
    assert f"  note     heap ok; the baseline: timed out; {advice}" in told
    assert told[-1] == f"  accept   {COMMAND}"


def test_where_the_bytes_are_stands_before_the_remedy(grown: Verdict) -> None:
    told = explained(grown, where=["conv 1x1: held twice  +4.19 MiB", "fc: held twice  +1 B"])
    assert told[-3:] == [
        "  where    conv 1x1: held twice  +4.19 MiB",
        "           fc: held twice  +1 B",
        f"  accept   {COMMAND}",
    ]


def test_growth_beside_the_peak_is_named_with_its_phase() -> None:
    live = Change(Gauge.PAGES, Phase.UNLOAD, Metric.RSS_ANON, 3_000_000, 0, 10)
    peak = Change(Gauge.PAGES, Phase.FIRST, Metric.VM_PEAK, 5_000_000, 5_000_000, 10)
    headline = explained(Verdict("case", VerdictKind.REGRESSED, changes=(live,), peaks=(peak,)))[0]
    assert headline == (
        "case   pages rss_anon net in unload 2.86 MiB, baseline 0 B: +2.86 MiB (from 0), tolerance 10 B"
    )


def test_an_improvement_says_how_to_keep_it(shrunk: Verdict) -> None:
    told = explained(shrunk)
    assert "-2.00 MiB (-16.7 %)" in told[0]
    assert told[-1] == f"  accept   {COMMAND}"


def test_a_new_case_says_why_and_what_to_run(unknown: Verdict) -> None:
    assert explained(unknown) == [
        "alexnet-fp16-light-half-plain-t4   new: no baseline",
        "  ncnn 1.0.20230223, without a baseline, on linux-x86_64",
        f"  accept   {COMMAND}",
    ]


def test_a_broken_case_leads_with_its_outcome_and_keeps_its_figures(grown: Verdict) -> None:
    reason = "heap crashed in steady: SIGSEGV; the baseline: ok"
    told = explained(replace(grown, kind=VerdictKind.BROKEN, reason=reason))
    assert told[0] == f"mobilenet_v1-fp32-light-half-q8-t1   broken: {reason}"
    assert told[2].startswith("  heap     load_model peak +4.21 MiB")


def test_a_reason_beside_figures_is_a_note(grown: Verdict) -> None:
    told = explained(replace(grown, reason="deployed is not in the baseline"))
    assert told[0].endswith("tolerance 21.7 KiB")
    assert "  note     deployed is not in the baseline" in told


def test_a_reference_from_this_run_is_called_so(grown: Verdict) -> None:
    told = explained(grown, baseline_note="measured in this run")
    assert told[1] == "  ncnn 1.0.20230223 against 1.0.20221128 (measured in this run) on linux-x86_64"


@pytest.mark.parametrize("kind", VerdictKind)
def test_only_what_is_the_same_has_nothing_to_accept(kind: VerdictKind) -> None:
    told = explained(Verdict("case", kind))
    assert (COMMAND in told[-1]) == (kind is not VerdictKind.SAME)


HEAP_OVER = Overrun(Gauge.HEAP, Phase.STEADY, Metric.PEAK, 54_630_810, 48 * 2**20)
PAGES_OVER = Overrun(Gauge.PAGES, Phase.STEADY, Metric.VM_PEAK, 210 * 2**20, 200 * 2**20)
ADVICE = "  advice   ncnn-peakmem advise resnet18 names options that take less; the budget is in models.yaml"


def test_a_case_over_budget_leads_with_it_though_it_is_the_same() -> None:
    verdict = Verdict("resnet18-fp32-t1", VerdictKind.SAME, against="1.0.1", overruns=(HEAP_OVER, PAGES_OVER))
    assert explained(verdict) == [
        "resnet18-fp32-t1   heap steady peak 52.10 MiB, budget 48.00 MiB: +4.10 MiB",
        "  ncnn 1.0.20230223 against 1.0.1 on linux-x86_64",
        "  budget   pages steady vm_peak gross 210.00 MiB, budget 200.00 MiB: +10.00 MiB",
        ADVICE,
    ]


def test_a_new_case_over_budget_tells_both() -> None:
    told = explained(Verdict("resnet18-fp32-t1", VerdictKind.NEW, "no baseline", overruns=(HEAP_OVER,)))
    assert told[0].endswith("budget 48.00 MiB: +4.10 MiB")
    assert told[2:] == ["  note     new: no baseline", ADVICE, f"  accept   {COMMAND}"]


def test_a_regression_leads_before_its_budget(grown: Verdict) -> None:
    told = explained(replace(grown, overruns=(HEAP_OVER,)))
    assert told[0] == explained(grown)[0]
    assert "  budget   heap steady peak 52.10 MiB, budget 48.00 MiB: +4.10 MiB" in told
