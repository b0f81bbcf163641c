from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ncnn_peakmem.history.change_point import change_points, model_changes, standing
from ncnn_peakmem.history.timeline import Figure, Point, Series
from ncnn_peakmem.measurement import Gauge, Metric, Phase
from ncnn_peakmem.tolerance import Tolerance
from tests.properties.strategies import TOLERANCE

FIGURE = Figure(Gauge.HEAP, Phase.FIRST, Metric.PEAK)
VALUES = st.lists(st.one_of(st.none(), st.integers(0, 1000), st.integers(0, 2**40)), max_size=12)


def series(values: list[int | None], model: str = "one") -> Series:
    points = tuple(Point(str(number), value, None, model) for number, value in enumerate(values))
    return Series("net-fp32-t1", FIGURE, points)


@given(VALUES, TOLERANCE)
def test_between_changes_no_figure_leaves_its_level(values: list[int | None], tolerance: Tolerance) -> None:
    changes = {change.release: change for change in change_points(series(values), tolerance)}
    level: int | None = None
    for number, value in enumerate(values):
        if value is None:
            assert str(number) not in changes
            continue
        if level is None or str(number) in changes:
            if level is not None:
                change = changes[str(number)]
                assert (change.before, change.after) == (level, value)
                assert abs(change.difference) > tolerance.bytes_for(level)
            level = value
        assert abs(value - level) <= tolerance.bytes_for(level)


@given(VALUES)
def test_with_no_tolerance_every_move_is_a_change(values: list[int | None]) -> None:
    known = [value for value in values if value is not None]
    moves = [(old, new) for old, new in pairwise(known) if old != new]
    found = change_points(series(values), Tolerance())
    assert [(change.before, change.after) for change in found] == moves
    assert not any(change.crept for change in found)


@given(VALUES, TOLERANCE)
def test_releases_without_the_figure_hide_no_change(values: list[int | None], tolerance: Tolerance) -> None:
    bare = [value for value in values if value is not None]
    with_gaps, without = (
        [(c.before, c.last, c.after, c.crept) for c in change_points(series(side), tolerance)]
        for side in (values, list[int | None](bare))
    )
    assert with_gaps == without


@given(VALUES, VALUES, TOLERANCE)
def test_figures_of_two_models_are_not_compared(
    before: list[int | None], after: list[int | None], tolerance: Tolerance
) -> None:
    joined = series(before).points + series(after, "two").points
    both = Series("net-fp32-t1", FIGURE, joined)
    apart = [change_points(side, tolerance) for side in (series(before), series(after, "two"))]
    assert len(change_points(both, tolerance)) == sum(map(len, apart))
    has_both = any(value is not None for value in before) and any(value is not None for value in after)
    assert len(model_changes(both)) == has_both


@given(VALUES)
def test_today_stands_between_the_best_and_the_worst(values: list[int | None]) -> None:
    known = [value for value in values if value is not None]
    found = standing(series(values))
    if found is None:
        assert not known
        return
    assert (found.best.bytes, found.worst.bytes, found.today.bytes) == (min(known), max(known), known[-1])
    assert found.difference == known[-1] - min(known)
