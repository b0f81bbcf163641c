from __future__ import annotations

from collections.abc import Mapping

import pytest

from ncnn_peakmem.case import network_of
from ncnn_peakmem.history import FIGURES, PEAKS, Figure, History
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import (
    Gauge,
    Measurement,
    MeasurementSet,
    Metric,
    Outcome,
    OutcomeKind,
    Phase,
    Reading,
)

MACHINE = MachineClass("x86_64", ("avx2",), 1048576, 2, 4096, "glibc2.36")
OK = Outcome(OutcomeKind.OK)
CRASH = Outcome(OutcomeKind.CRASHED, "SIGSEGV", Phase.FIRST)
HEAP = Reading(
    OK,
    {
        Phase.LOAD_MODEL: {Metric.PEAK: 900, Metric.LIVE: 700},
        Phase.FIRST: {Metric.PEAK: 800, Metric.LIVE: 750},
    },
)
PAGES = Reading(OK, {Phase.IMPORT: {Metric.VM_PEAK: 4000}, Phase.LOAD_MODEL: {Metric.VM_PEAK: 5000}})
LOADED = Figure(Gauge.HEAP, Phase.LOAD_MODEL, Metric.LIVE)
FIRST = Figure(Gauge.HEAP, Phase.FIRST, Metric.PEAK)


def released(ncnn: str, **readings: Mapping[Gauge, Reading]) -> MeasurementSet:
    cases = {case: Measurement(case, f"model of {case}", read) for case, read in readings.items()}
    return MeasurementSet(ncnn, MACHINE, cases)


@pytest.fixture
def history() -> History:
    return History(
        MACHINE,
        (
            released("1.0.1", b={Gauge.HEAP: HEAP}),
            released("1.0.2", a={Gauge.PAGES: PAGES}),
            released(
                "1.0.3", b={Gauge.HEAP: Reading(CRASH, {Phase.LOAD_MODEL: HEAP.phases[Phase.LOAD_MODEL]})}
            ),
        ),
    )


def test_a_series_has_a_point_a_release_and_says_why_one_is_empty(history: History) -> None:
    first, second, third = history.series("b", FIRST).points
    assert (first.release, first.bytes, first.outcome, first.model) == ("1.0.1", 800, OK, "model of b")
    assert (second.release, second.bytes, second.outcome, second.model) == ("1.0.2", None, None, "")
    assert (third.bytes, third.outcome) == (None, CRASH)


def test_a_probe_that_died_keeps_the_figures_of_the_phases_it_finished(history: History) -> None:
    assert [point.bytes for point in history.series("b", LOADED).points] == [700, None, 700]


def test_figures_are_net_of_the_floor(history: History) -> None:
    series = history.series("a", Figure(Gauge.PAGES, Phase.LOAD_MODEL, Metric.VM_PEAK))
    assert [point.bytes for point in series.points] == [None, 1000, None]


def test_the_overall_peak_is_the_largest_of_all_phases_of_a_whole_run(history: History) -> None:
    assert [point.bytes for point in history.series("b", PEAKS[Gauge.HEAP]).points] == [900, None, None]
    assert [point.bytes for point in history.series("a", PEAKS[Gauge.PAGES]).points] == [None, 1000, None]


def test_all_series_are_those_that_were_read_on_some_release(history: History) -> None:
    named = {str(series.figure) for series in history.all_series("b")}
    assert named == {"heap load_model peak", "heap load_model live", "heap first peak", "heap first live"}


def test_releases_keep_their_order_and_cases_are_those_of_any(history: History) -> None:
    assert history.versions == ("1.0.1", "1.0.2", "1.0.3")
    assert history.cases == ("a", "b")


def test_the_floor_is_no_figure_and_resident_luck_is_none() -> None:
    assert Phase.IMPORT not in {figure.phase for figure in FIGURES}
    assert Metric.VM_RSS not in {figure.metric for figure in FIGURES}
    assert len(set(FIGURES)) == len(FIGURES) == 30


def test_figures_and_networks_have_names() -> None:
    assert str(PEAKS[Gauge.PAGES]) == "pages vm_peak"
    assert network_of("mobilenet_v1-fp32-light-half-q8-t1") == "mobilenet_v1"
