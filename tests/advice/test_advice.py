"""Advice over made-up networks: what is found, what is measured for it, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from ncnn_peakmem.advice import Advice, Answer, Goal, NothingRuns, Outlook, Setup, Stretch
from ncnn_peakmem.case import Precision
from ncnn_peakmem.measurement import Gauge, Metric, Outcome, OutcomeKind, Phase
from ncnn_peakmem.reports.advice import render
from tests.advice.landscape import CRASHED, MIB, OK, Land, Spot, advise, int8_resnet, space

FP32, INT8 = Precision.FP32, Precision.INT8
ORIGIN = Setup(FP32, 1)
KIB = 1 << 10


def told(advice: Advice) -> str:
    """The advice as people read it, on one line."""
    console = Console(width=300, file=StringIO(), color_system=None)
    console.print(render(advice))
    assert isinstance(console.file, StringIO)
    return " ".join(console.file.getvalue().split())


def setup(**changes: str) -> Setup:
    return Setup(FP32, 1, tuple(changes.items()))


@pytest.mark.parametrize(
    ("budget", "answer", "changes"),
    [
        (200, Answer.KEEP, {}),
        (64, Answer.CHANGE, {"winograd": "less43"}),
        (40, Answer.CHANGE, {"winograd": "spatial"}),
        (10, Answer.OUT_OF_REACH, None),
    ],
)
def test_the_cheapest_way_into_a_budget(budget: int, answer: Answer, changes: dict[str, str] | None) -> None:
    advice, _ = advise(int8_resnet, Goal(budget=budget * MIB))

    best = advice.recommendation
    assert best.answer is answer
    assert (best.chosen.setup if best.chosen else None) == (None if changes is None else setup(**changes))
    assert advice.reached is (answer is not Answer.OUT_OF_REACH)
    assert best.floor.setup == setup(winograd="spatial", sgemm="naive")
    assert best.floor.bytes(advice.goal) == 21 * MIB


def test_loading_and_inference_are_told_apart() -> None:
    for stretch, changes in (
        (Stretch.LOAD, {"winograd": "less43"}),
        (Stretch.INFERENCE, {"winograd": "spatial"}),
    ):
        advice, _ = advise(int8_resnet, Goal(stretch=stretch, budget=40 * MIB))
        assert advice.recommendation.chosen is not None
        assert advice.recommendation.chosen.setup == setup(**changes)


def test_the_front_goes_from_small_to_fast() -> None:
    advice, _ = advise(int8_resnet)

    assert [(one.bytes // MIB, round(one.ratio.median, 2)) for one in advice.front] == [
        (21, 1.8),
        (22, 1.2),
        (50, 1.03),
        (164, 1.0),
    ]


@pytest.mark.parametrize(
    ("growth", "changes"), [(None, {"winograd": "less43"}), (0.2, {"winograd": "spatial"})]
)
def test_without_a_budget_the_most_that_is_saved_within_the_time(
    growth: float | None, changes: dict[str, str]
) -> None:
    advice, _ = advise(int8_resnet, Goal(growth=growth))

    assert advice.recommendation.chosen is not None
    assert advice.recommendation.chosen.setup == setup(**changes)


def test_a_budget_that_only_slow_setups_reach_is_out_of_reach_of_a_limit() -> None:
    advice, _ = advise(int8_resnet, Goal(budget=40 * MIB, growth=0.1))

    assert advice.recommendation.answer is Answer.OUT_OF_REACH


def test_what_changes_nothing_is_folded_and_left_out_of_combinations() -> None:
    advice, bench = advise(int8_resnet)

    assert (setup(int8="plain"), ORIGIN) in [(one.setup, one.same_as) for one in advice.folded]
    assert not any("plain" in case for case in bench.timed)
    assert not any("plain" in case and "spatial" in case for case in bench.measured)


def test_two_options_that_do_something_only_together_are_found() -> None:
    def land(precision: Precision, threads: int, labels: frozenset[str]) -> Spot:
        return Spot(40, 20) if {"spatial", "naive"} <= labels else Spot(100, 90)

    advice, _ = advise(land, Goal(budget=50 * MIB))

    assert advice.recommendation.chosen is not None
    assert advice.recommendation.chosen.setup == setup(winograd="spatial", sgemm="naive")


def test_what_takes_more_and_is_no_faster_is_not_combined() -> None:
    _, bench = advise(
        lambda p, t, labels: replace(int8_resnet(p, t, labels), load=400 if "heavy" in labels else 9)
    )

    assert [case for case in bench.measured if "heavy" in case] == ["net-fp32-heavy-q8-t1"]


def test_of_setups_as_fast_within_noise_the_one_with_the_fewest_changes() -> None:
    def land(precision: Precision, threads: int, labels: frozenset[str]) -> Spot:
        size = 50 if "spatial" in labels else 100
        time = 1.02 if labels == {"spatial"} else 1.0 if labels else 0.9
        return Spot(size - ("naive" in labels), 1, time, spread=0.1)

    advice, _ = advise(land, Goal(budget=60 * MIB))

    assert advice.recommendation.chosen is not None
    assert advice.recommendation.chosen.setup == setup(winograd="spatial")


def test_noise_makes_no_front() -> None:
    def land(precision: Precision, threads: int, labels: frozenset[str]) -> Spot:
        return Spot(50 if "spatial" in labels else 100, 1, 1.02 if "spatial" in labels else 1.0, spread=0.1)

    advice, _ = advise(land)

    assert [one.setup for one in advice.front] == [setup(winograd="spatial")]


def test_where_other_weights_are_cheapest_the_own_ones_are_told_of_as_well() -> None:
    def land(precision: Precision, threads: int, labels: frozenset[str]) -> Spot:
        spot = int8_resnet(precision, threads, labels)
        return spot if precision is FP32 else replace(spot, load=spot.load / 4, inference=spot.inference / 4)

    advice, _ = advise(land, Goal(budget=60 * MIB), space([FP32, INT8]))

    best = advice.recommendation
    assert best.chosen is not None
    assert best.chosen.setup == Setup(INT8, 1)
    assert best.plainer is not None
    assert best.plainer.setup == setup(winograd="less43")

    small, _ = advise(land, Goal(budget=20 * MIB), space([FP32, INT8]))
    best = small.recommendation
    assert best.chosen is not None
    assert best.chosen.setup == Setup(INT8, 1, (("winograd", "less43"),))
    assert best.plainer is None


def test_weights_that_change_nothing_are_folded_with_all_their_options() -> None:
    advice, bench = advise(int8_resnet, within=space([FP32, Precision.FP16]))

    assert Setup(Precision.FP16, 1) in [one.setup for one in advice.folded]
    assert [case for case in bench.measured if "fp16" in case] == ["net-fp16-light-q8-t1"]


def test_threads_are_timed_though_they_take_the_same() -> None:
    def land(precision: Precision, threads: int, labels: frozenset[str]) -> Spot:
        spot = int8_resnet(precision, threads, labels)
        return replace(spot, time=spot.time / threads)

    advice, _ = advise(land, Goal(budget=60 * MIB), space(threads=[1, 2]))

    assert advice.recommendation.chosen is not None
    assert advice.recommendation.chosen.setup == Setup(FP32, 2, (("winograd", "less43"),))


def test_what_fails_is_told_and_never_chosen() -> None:
    def land(precision: Precision, threads: int, labels: frozenset[str]) -> Spot:
        spot = int8_resnet(precision, threads, labels)
        return replace(spot, outcome=CRASHED) if labels & {"less43", "only23"} else spot

    advice, bench = advise(land, Goal(budget=64 * MIB))

    assert [one.setup for one in advice.excluded] == [setup(winograd=one) for one in ("less43", "only23")]
    assert advice.recommendation.chosen is not None
    assert advice.recommendation.chosen.setup == setup(winograd="spatial")
    assert not any("less43" in case for case in bench.timed)


def test_a_default_that_crashes_gives_way_to_another_precision() -> None:
    def land(precision: Precision, threads: int, labels: frozenset[str]) -> Spot:
        spot = int8_resnet(precision, threads, labels)
        return replace(spot, outcome=CRASHED) if precision is FP32 else spot

    advice, _ = advise(land, within=space([FP32, INT8]))
    assert advice.reference == Setup(INT8, 1)
    assert advice.recommendation.plainer is None

    with pytest.raises(NothingRuns, match="SIGSEGV in inference"):
        advise(land)


def test_no_more_is_measured_than_was_allowed_and_what_is_left_is_told() -> None:
    advice, bench = advise(int8_resnet, most=4)

    assert len(bench.measured) == 4
    assert advice.left > 0
    whole, _ = advise(int8_resnet)
    assert whole.left == 0


def test_a_recommendation_is_measured_once_more() -> None:
    advice, _ = advise(int8_resnet, Goal(budget=64 * MIB))

    assert advice.confirmation is not None
    assert advice.confirmation.holds(advice.goal)
    assert advice.confirmation.after.bytes(advice.goal) == 50 * MIB


def test_what_is_not_seen_again_is_not_reached() -> None:
    advice, _ = advise(int8_resnet, Goal(budget=64 * MIB), fresh=lambda *_: Spot(154, 164))

    assert advice.confirmation is not None
    assert not advice.reached


@pytest.mark.parametrize(
    ("time", "spread", "growth", "held"),
    [(2.0, 0.05, 0.1, False), (2.0, 0.05, None, True), (1.15, 0.1, 0.1, True), (1.09, 0.0, 0.1, True)],
)
def test_what_is_slower_than_allowed_when_seen_again_is_not_reached(
    time: float, spread: float, growth: float | None, held: bool
) -> None:
    def later(precision: Precision, threads: int, labels: frozenset[str]) -> Spot:
        spot = int8_resnet(precision, threads, labels)
        return replace(spot, time=time, spread=spread) if labels else spot

    advice, _ = advise(int8_resnet, Goal(budget=64 * MIB, growth=growth), fresh=later)

    assert advice.confirmation is not None
    assert advice.confirmation.holds(advice.goal) is held
    assert advice.reached is held
    assert (told(advice).count("not confirmed") == 0) is held


@pytest.mark.parametrize("budget", [200 * MIB, None])
def test_weights_that_run_where_the_default_does_not_are_a_change(budget: int | None) -> None:
    def land(precision: Precision, threads: int, labels: frozenset[str]) -> Spot:
        return Spot(100, 90, outcome=CRASHED if precision is FP32 else OK)

    def advised(fresh: Land) -> Advice:
        return advise(land, Goal(budget=budget), space([FP32, INT8]), fresh=fresh)[0]

    advice = advised(land)
    best = advice.recommendation
    assert best.answer is Answer.CHANGE
    assert best.chosen is not None
    assert best.chosen.setup == advice.reference == Setup(INT8, 1)
    assert best.plainer is None
    assert advice.reached

    text = told(advice)
    failure = "net-fp32-light-q8-t1: crashed in first: SIGSEGV in inference"
    assert f"the default does not run: {failure}; compared with int8 weights" in text
    assert text.count(failure) == 1
    assert "int8 weights: peak 100.00 MiB" in text
    assert "confirmed: load peak 100.00 MiB, inference peak 90.00 MiB" in text
    assert "with fp32 weights nothing does" in text
    assert "floor 100.00 MiB: int8 weights" in text
    assert "the default does:" not in text
    assert "than the default" not in text

    assert not advised(lambda *_: Spot(1, 1, outcome=CRASHED)).reached
    assert advised(lambda *_: Spot(300, 1)).reached is (budget is None)


def test_the_front_holds_against_all_that_take_less() -> None:
    times = {"less43": (1.0, 0.0), "spatial": (1.0, 0.6), "naive": (1.3, 0.0)}
    sizes = {"less43": 20, "spatial": 15, "naive": 10}

    def land(precision: Precision, threads: int, labels: frozenset[str]) -> Spot:
        if len(labels) != 1 or not labels & times.keys():
            return Spot(100, 1, 2.0)
        (label,) = labels
        time, spread = times[label]
        return Spot(sizes[label], 1, time, spread=spread)

    advice, _ = advise(land)

    # The interval of `spatial` reaches below that of `less43`, which takes more.
    assert [one.setup for one in advice.front] == [setup(sgemm="naive")]


def test_pages_that_come_and_go_are_no_difference() -> None:
    def land(precision: Precision, threads: int, labels: frozenset[str]) -> Spot:
        less = 8 * KIB * ("spatial" in labels) + 64 * KIB * ("naive" in labels)
        return Spot(100 - less / MIB, 1)

    advice, _ = advise(land, Goal(Gauge.PAGES))
    assert (setup(winograd="spatial"), ORIGIN) in [(one.setup, one.same_as) for one in advice.folded]
    assert advice.recommendation.chosen is not None
    assert advice.recommendation.chosen.setup == advice.recommendation.floor.setup == setup(sgemm="naive")
    assert "the same as default, give or take 16.0 KiB: " in told(advice)
    assert "to the byte" not in told(advice)

    nearly = advise(land, Goal(Gauge.PAGES), fresh=lambda *_: Spot(100, 1))[0]
    assert not nearly.reached

    exact, _ = advise(land)
    assert setup(winograd="spatial") not in [one.setup for one in exact.folded]


def test_threads_that_take_a_page_less_are_no_saving() -> None:
    def land(precision: Precision, threads: int, labels: frozenset[str]) -> Spot:
        return Spot(100 - (4 * KIB / MIB) * (threads == 2), 1)

    advice, _ = advise(land, Goal(Gauge.PAGES), space(threads=[1, 2]))

    assert advice.recommendation.answer is Answer.KEEP
    assert [one.setup for one in advice.front] == [ORIGIN]


def test_the_floor_is_the_least_that_runs_timed_or_not() -> None:
    lost = Outcome(OutcomeKind.FAILED, "not timed, for what it is compared with ended", hindered=True)

    def land(precision: Precision, threads: int, labels: frozenset[str]) -> Spot:
        spot = int8_resnet(precision, threads, labels)
        return replace(spot, timed=lost) if "spatial" in labels else spot

    advice, _ = advise(land, Goal(budget=40 * MIB))

    assert advice.recommendation.answer is Answer.OUT_OF_REACH
    assert advice.recommendation.floor.setup == setup(winograd="spatial", sgemm="naive")
    assert "what fits could not be timed, winograd off, sgemm off: -143.00 MiB peak, not timed" in told(
        advice
    )


def foretold(wrong: float = 0) -> Callable[[Setup], Outlook]:
    """A forecast that is off by so many MiB."""

    def tell(one: Setup) -> Outlook:
        spot = int8_resnet(one.precision, one.threads, frozenset(label for _, label in one.changes))
        figures = {Phase.LOAD_MODEL: spot.load + wrong, Phase.STEADY: spot.inference + wrong}
        return Outlook({p: {Metric.PEAK: int(m * MIB), Metric.LIVE: 7} for p, m in figures.items()}, 0.8)

    return tell


def test_a_forecast_that_was_right_so_far_spares_probes_and_a_wrong_one_none() -> None:
    def slow_pairs(precision: Precision, threads: int, labels: frozenset[str]) -> Spot:
        spot = int8_resnet(precision, threads, labels)
        return replace(spot, time=spot.time * (2 if len(labels) > 1 else 1))

    alone = advise(slow_pairs)[1].measured
    exact = advise(slow_pairs, foretell=foretold())[1].measured
    off = advise(slow_pairs, foretell=foretold(wrong=3))[1].measured

    assert len(exact) < len(alone)
    assert set(off) >= set(alone)


def test_the_same_search_asks_for_the_same() -> None:
    assert advise(int8_resnet)[1].measured == advise(int8_resnet)[1].measured
