from __future__ import annotations

from ncnn_peakmem.history import ChangePoint, Figure, movements
from ncnn_peakmem.measurement import Gauge, Metric, Phase

LOAD = Figure(Gauge.HEAP, Phase.LOAD_MODEL, Metric.PEAK)
FIRST = Figure(Gauge.HEAP, Phase.FIRST, Metric.PEAK)
PAGES = Figure(Gauge.PAGES, Phase.FIRST, Metric.VM_PEAK)
CASES = ("net-fp32-light-half-t1", "net-fp32-light-single-t1", "net-fp32-heavy-half-t1")
LIGHT = CASES[:2]


def change(case: str, figure: Figure, before: int, after: int, release: str = "2") -> ChangePoint:
    return ChangePoint(case, figure, release, "1", "1", before, before, after)


def test_cases_that_move_by_the_same_bytes_are_one_movement() -> None:
    changes = [change(case, LOAD, 100 * place, 100 * place + 7) for place, case in enumerate(LIGHT, 1)]
    (movement,) = movements(changes, CASES)
    assert movement.fold.pattern == "net-fp32-light-*-t1"
    assert [found.before for found in movement.at(LOAD)] == [100, 200]
    assert (movement.release, movement.previous, movement.gauge) == ("2", "1", Gauge.HEAP)


def test_cases_that_move_by_other_bytes_are_not() -> None:
    changes = [change(LIGHT[0], LOAD, 100, 107), change(LIGHT[1], LOAD, 100, 108)]
    assert [movement.fold.pattern for movement in movements(changes, CASES)] == list(LIGHT)


def test_a_case_in_which_one_figure_more_moves_is_told_apart() -> None:
    changes = [change(case, LOAD, 100, 107) for case in LIGHT] + [change(LIGHT[0], FIRST, 50, 57)]
    assert [movement.figures for movement in movements(changes, CASES)] == [(LOAD, FIRST), (LOAD,)]


def test_releases_and_gauges_are_told_apart() -> None:
    changes = [
        change(LIGHT[0], LOAD, 100, 107),
        change(LIGHT[0], PAGES, 100, 107),
        change(LIGHT[0], LOAD, 107, 110, release="3"),
    ]
    told = [(movement.release, movement.gauge) for movement in movements(changes, CASES)]
    assert told == [("2", Gauge.HEAP), ("2", Gauge.PAGES), ("3", Gauge.HEAP)]


def test_figures_that_move_alike_are_one_strand() -> None:
    steady = Figure(Gauge.HEAP, Phase.STEADY, Metric.PEAK)
    changes = [
        change(case, figure, 100, 100 + more)
        for case in LIGHT
        for figure, more in ((LOAD, 9), (FIRST, 5), (steady, 9))
    ]
    (movement,) = movements(changes, CASES)
    assert [{found.figure for found in strand} for strand in movement.strands] == [{LOAD, steady}, {FIRST}]
    assert movement.at(PAGES) == ()


def test_a_movement_is_as_large_as_its_largest_change() -> None:
    changes = [change(LIGHT[0], LOAD, 1000, 1010), change(LIGHT[0], FIRST, 100, 90)]
    (movement,) = movements(changes, CASES)
    assert movement.size == (10.0, 10)
