from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import pytest

from ncnn_peakmem.history import (
    ChangePoint,
    Figure,
    ModelChange,
    OutcomeChange,
    Point,
    Series,
    change_points,
    model_changes,
    outcome_changes,
    standing,
)
from ncnn_peakmem.measurement import Gauge, Metric, Outcome, OutcomeKind, Phase
from ncnn_peakmem.tolerance import Tolerance

PEAK = Figure(Gauge.HEAP, Phase.FIRST, Metric.PEAK)
EXACT = Tolerance()
OK = Outcome(OutcomeKind.OK)
CRASH = Outcome(OutcomeKind.CRASHED, "SIGSEGV", Phase.LOAD_MODEL)


def series(*sizes: int | None, models: str = "") -> Series:
    """Releases 1, 2, 3, ...; the models are named by a letter a release."""
    letters = models or "m" * len(sizes)
    points = (
        Point(f"{number}", size, OK if size is not None else CRASH, letter)
        for number, (size, letter) in enumerate(zip(sizes, letters, strict=True), 1)
    )
    return Series("net-fp32-t1", PEAK, tuple(points))


def told(changes: Sequence[ChangePoint]) -> list[tuple[str, int, int]]:
    return [(change.release, change.before, change.after) for change in changes]


def test_a_figure_that_leaves_its_level_is_told_once() -> None:
    (change,) = change_points(series(100, 100, 150, 150, 150), EXACT)
    assert change == ChangePoint("net-fp32-t1", PEAK, "3", "2", "1", before=100, last=100, after=150)
    assert (change.difference, change.percent) == (50, 50.0)


def test_a_figure_that_comes_back_is_told_twice() -> None:
    changes = change_points(series(100, 150, 100), EXACT)
    assert told(changes) == [("2", 100, 150), ("3", 150, 100)]
    assert (changes[1].since, changes[1].difference) == ("2", -50)


@pytest.mark.parametrize(("size", "changes"), [(110, 0), (111, 1), (90, 0), (89, 1)])
def test_what_stays_in_tolerance_is_no_change(size: int, changes: int) -> None:
    assert len(change_points(series(100, size), Tolerance(absolute=10))) == changes


def test_the_tolerance_is_that_of_the_level() -> None:
    tenth = Tolerance(relative=0.1)
    assert told(change_points(series(1000, 1100, 1101), tenth)) == [("3", 1000, 1101)]
    assert told(change_points(series(1000, 1101, 1211, 1212), tenth)) == [
        ("2", 1000, 1101),
        ("4", 1101, 1212),
    ]


def test_growth_in_steps_within_tolerance_is_told_when_their_sum_is_not() -> None:
    (change,) = change_points(series(100, 104, 108, 112, 112), Tolerance(absolute=10))
    assert (change.release, change.previous, change.since) == ("4", "3", "1")
    assert (change.before, change.last, change.after) == (100, 108, 112)
    assert change.crept


def test_a_step_beyond_tolerance_has_not_crept_even_from_a_figure_off_its_level() -> None:
    (change,) = change_points(series(100, 104, 150), Tolerance(absolute=10))
    assert (change.last, change.crept) == (104, False)


def test_releases_without_the_figure_are_passed_over_but_named() -> None:
    (change,) = change_points(series(100, None, None, 150, None), EXACT)
    assert (change.release, change.previous, change.skipped) == ("4", "1", ("2", "3"))
    (later,) = change_points(series(None, 100, 100, 150), EXACT)
    assert (later.previous, later.skipped) == ("3", ())


def test_figures_of_different_models_are_not_compared() -> None:
    assert not change_points(series(100, 500, 500, models="abb"), EXACT)
    changes = change_points(series(100, 500, 501, models="abb"), EXACT)
    assert told(changes) == [("3", 500, 501)]
    assert changes[0].since == "2"


def test_a_figure_that_grows_from_nothing_has_no_per_cent() -> None:
    (change,) = change_points(series(0, 5), EXACT)
    assert change.percent is None
    assert change.size > ChangePoint("c", PEAK, "2", "1", "1", 1, 1, 10**6).size


SMALL = [sizes for length in range(1, 6) for sizes in product((None, 0, 1, 2, 4), repeat=length)]


def levels(sizes: Sequence[int | None], changes: Sequence[ChangePoint]) -> Iterator[tuple[int, int]]:
    """Each figure with the level that it should be in tolerance of."""
    level = next((size for size in sizes if size is not None), 0)
    after = {change.release: change.after for change in changes}
    for number, size in enumerate(sizes, 1):
        level = after.get(f"{number}", level)
        if size is not None:
            yield size, level


@pytest.mark.parametrize("tolerance", [EXACT, Tolerance(absolute=1), Tolerance(absolute=2)])
def test_every_figure_is_in_tolerance_of_the_level_that_the_changes_tell(tolerance: Tolerance) -> None:
    for sizes in SMALL:
        changes = change_points(series(*sizes), tolerance)
        assert all(abs(size - level) <= tolerance.absolute for size, level in levels(sizes, changes)), sizes
        assert all(abs(change.difference) > tolerance.absolute for change in changes), sizes


@pytest.mark.parametrize("tolerance", [EXACT, Tolerance(absolute=1)])
def test_changes_join_one_to_the_next_and_gaps_do_not_matter(tolerance: Tolerance) -> None:
    for sizes in SMALL:
        changes = change_points(series(*sizes), tolerance)
        joined = [change.before for change in changes[1:]] == [change.after for change in changes[:-1]]
        since = [change.since for change in changes[1:]] == [change.release for change in changes[:-1]]
        assert joined, sizes
        assert since, sizes
        known = [size for size in sizes if size is not None]
        bare = change_points(series(*known), tolerance)
        assert [change.difference for change in bare] == [change.difference for change in changes], sizes


def test_a_mirrored_series_has_mirrored_changes() -> None:
    for sizes in SMALL:
        mirrored = [None if size is None else 10 - size for size in sizes]
        there, back = (change_points(series(*found), Tolerance(1)) for found in (sizes, mirrored))
        assert [change.difference for change in there] == [-change.difference for change in back], sizes


def ended(*outcomes: Outcome | None) -> Series:
    points = tuple(Point(f"{number}", None, outcome) for number, outcome in enumerate(outcomes, 1))
    return Series("net-fp32-t1", PEAK, points)


def test_another_outcome_is_told_across_releases_that_were_not_measured() -> None:
    assert outcome_changes(ended(CRASH, None, OK, OK)) == (
        OutcomeChange("net-fp32-t1", Gauge.HEAP, "3", "1", CRASH, OK),
    )


def test_another_phase_is_another_outcome_and_other_words_are_not() -> None:
    later = Outcome(OutcomeKind.CRASHED, "SIGSEGV", Phase.FIRST)
    reworded = Outcome(OutcomeKind.CRASHED, "SIGABRT", Phase.LOAD_MODEL)
    assert not outcome_changes(ended(CRASH, reworded))
    assert [change.release for change in outcome_changes(ended(CRASH, reworded, later))] == ["3"]


def test_another_model_is_told_where_it_was_read() -> None:
    assert model_changes(series(100, None, 100, 100, models="abcc")) == (
        ModelChange("net-fp32-t1", "3", "1", "a", "c"),
    )


def test_a_standing_names_the_releases() -> None:
    place = standing(series(120, 100, 150, 110))
    assert place is not None
    points = (place.first, place.best, place.worst, place.today)
    assert [point.release for point in points] == ["1", "2", "3", "4"]
    assert (place.difference, place.percent) == (10, 10.0)


def test_of_equal_releases_the_one_that_brought_it_is_named() -> None:
    place = standing(series(100, 90, 90, 100, 90))
    assert place is not None
    assert (place.best.release, place.worst.release, place.today.release) == ("2", "1", "5")


def test_a_standing_passes_over_releases_without_the_figure_and_with_another_model() -> None:
    place = standing(series(1, 100, 130, 110, None, models="abbbb"))
    assert place is not None
    assert (place.first.release, place.best.release, place.today.release) == ("2", "2", "4")
    assert standing(series(None, None)) is None


def test_a_standing_against_nothing_has_no_per_cent() -> None:
    place = standing(series(0, 5))
    assert place is not None
    assert (place.difference, place.percent) == (5, None)
