from __future__ import annotations

from collections.abc import Sequence

import pytest

from ncnn_peakmem.baselines.verdict import Change, Verdict, VerdictKind, in_words, largest_first
from ncnn_peakmem.measurement import Gauge, Metric, Outcome, OutcomeKind, Phase


def change(
    measured: int, baseline: int, *, gauge: Gauge = Gauge.HEAP, metric: Metric = Metric.PEAK
) -> Change:
    return Change(gauge, Phase.FIRST, metric, measured, baseline, tolerance=10)


@pytest.mark.parametrize(
    ("measured", "baseline", "difference", "percent"),
    [(125, 100, 25, 25.0), (75, 100, -25, -25.0), (5, 0, 5, None), (0, 0, 0, 0.0), (-90, -100, 10, 10.0)],
)
def test_a_change_in_bytes_and_percent(
    measured: int, baseline: int, difference: int, percent: float | None
) -> None:
    assert change(measured, baseline).difference == difference
    assert change(measured, baseline).percent == percent


def test_a_tolerance_is_still_within() -> None:
    assert not change(110, 100).exceeds
    assert change(111, 100).exceeds
    assert not change(90, 100).improves
    assert change(89, 100).improves


@pytest.mark.parametrize("kind", VerdictKind)
def test_only_same_and_improved_are_accepted(kind: VerdictKind) -> None:
    assert Verdict("case", kind).accepted == (kind in {VerdictKind.SAME, VerdictKind.IMPROVED})


def test_growth_leads_before_a_larger_gain() -> None:
    growth, gain = change(120, 100), change(10, 100, metric=Metric.LIVE)
    verdict = Verdict("case", VerdictKind.REGRESSED, changes=(gain, growth))
    assert verdict.leading == growth


def test_the_headline_is_a_peak_that_moved_as_the_verdict_says() -> None:
    live = change(300, 100, metric=Metric.LIVE)
    calm, moved = change(1000, 1000), change(1200, 1000, gauge=Gauge.PAGES, metric=Metric.VM_PEAK)
    shrunk = change(900, 1000)
    assert (
        Verdict("case", VerdictKind.REGRESSED, changes=(live, moved), peaks=(calm, moved)).headline == moved
    )
    assert Verdict("case", VerdictKind.REGRESSED, changes=(live,), peaks=(shrunk,)).headline == live
    assert Verdict("case", VerdictKind.IMPROVED, changes=(shrunk,), peaks=(calm, shrunk)).headline == shrunk
    halved = change(50, 100, metric=Metric.LIVE)
    assert Verdict("case", VerdictKind.IMPROVED, changes=(shrunk, halved), peaks=(shrunk,)).headline == shrunk
    assert Verdict("case", VerdictKind.SAME, peaks=(calm,)).headline == calm
    assert Verdict("case", VerdictKind.NEW).headline is None


def test_one_gauge_of_a_verdict() -> None:
    heap, pages = change(120, 100), change(130, 100, gauge=Gauge.PAGES)
    verdict = Verdict("case", VerdictKind.REGRESSED, changes=(heap, pages), peaks=(heap, pages))
    assert verdict.only(Gauge.PAGES) == Verdict(
        "case", VerdictKind.REGRESSED, changes=(pages,), peaks=(pages,)
    )


def names(verdicts: Sequence[Verdict]) -> list[str]:
    return [verdict.case for verdict in verdicts]


def test_the_gravest_kind_comes_first() -> None:
    verdicts = [Verdict(str(kind), kind) for kind in VerdictKind]
    assert names(largest_first(verdicts)) == ["broken", "regressed", "new", "improved", "same"]


def test_within_a_kind_the_largest_relative_then_absolute_change_comes_first() -> None:
    def regressed(case: str, *changes: Change) -> Verdict:
        return Verdict(case, VerdictKind.REGRESSED, changes=changes)

    verdicts = [
        regressed("b-tie", change(200, 100)),
        regressed("a-tie", change(200, 100)),
        regressed("small-share-many-bytes", change(11_000, 10_000)),
        regressed("same-share-more-bytes", change(2000, 1000)),
        regressed("from-nothing", change(20, 0)),
        regressed("half", change(150, 100), change(0, 1000, metric=Metric.LIVE)),
    ]
    assert names(largest_first(verdicts)) == [
        "from-nothing",
        "same-share-more-bytes",
        "a-tie",
        "b-tie",
        "half",
        "small-share-many-bytes",
    ]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome(OutcomeKind.OK), "ok"),
        (Outcome(OutcomeKind.OUT_OF_MEMORY, "", Phase.LOAD_MODEL), "out of memory in load_model"),
        (
            Outcome(OutcomeKind.CRASHED, "signal 11\n  (SIGSEGV)", Phase.FIRST),
            "crashed in first: signal 11 (SIGSEGV)",
        ),
        (Outcome(OutcomeKind.FAILED, "x" * 5000), "failed: " + "x" * 200 + " ..."),
    ],
)
def test_an_outcome_in_words(outcome: Outcome, words: str) -> None:
    assert in_words(outcome) == words
