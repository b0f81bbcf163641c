from __future__ import annotations

import pytest

from ncnn_peakmem.history import Figure, History, change_points, is_echo
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
from ncnn_peakmem.tolerance import Tolerance

MACHINE = MachineClass("x86_64", ("avx2",), 1048576, 2, 4096, "glibc2.36")
OK = Outcome(OutcomeKind.OK)
TOLERANCE = Tolerance(absolute=10)
VM_FIRST = Figure(Gauge.PAGES, Phase.FIRST, Metric.VM_PEAK)
RSS_FIRST = Figure(Gauge.PAGES, Phase.FIRST, Metric.RSS_ANON)


def released(ncnn: str, load: int, first: int, live: int, vm: int, rss: int) -> MeasurementSet:
    """The heap peaks of loading and of the first inference, what is live after it, and the process then."""
    heap = {
        Phase.LOAD_MODEL: {Metric.PEAK: load, Metric.LIVE: load},
        Phase.FIRST: {Metric.PEAK: first, Metric.LIVE: live},
    }
    pages = {Phase.FIRST: {Metric.VM_PEAK: vm, Metric.RSS_ANON: rss}}
    readings = {Gauge.HEAP: Reading(OK, heap), Gauge.PAGES: Reading(OK, pages)}
    return MeasurementSet(ncnn, MACHINE, {"net-t1": Measurement("net-t1", "model", readings)})


def echoes(figure: Figure, before: MeasurementSet, after: MeasurementSet) -> bool:
    history = History(MACHINE, (before, after))
    (change,) = change_points(history.series("net-t1", figure), TOLERANCE)
    return is_echo(change, history, TOLERANCE)


@pytest.mark.parametrize(("vm", "echo"), [(1600, True), (1610, True), (1611, False), (1400, False)])
def test_vm_peak_moves_with_the_highest_heap_peak_so_far(vm: int, echo: bool) -> None:
    # Loading stays the highest: the process cannot show what the first inference takes less.
    before = released("1", load=900, first=800, live=700, vm=1500, rss=1000)
    after = released("2", load=1000, first=500, live=700, vm=vm, rss=1000)
    assert echoes(VM_FIRST, before, after) is echo


def test_resident_pages_move_with_what_is_live() -> None:
    before = released("1", load=900, first=800, live=700, vm=1500, rss=1000)
    assert echoes(RSS_FIRST, before, released("2", 900, 800, 400, vm=1500, rss=700))
    assert not echoes(RSS_FIRST, before, released("2", 900, 500, 700, vm=1500, rss=700))


@pytest.mark.parametrize(
    ("rss", "echo"), [(1101, False), (1090, True), (910, True), (900, True), (899, False)]
)
def test_a_tenth_of_a_large_movement_may_be_the_pages_own(rss: int, echo: bool) -> None:
    before = released("1", load=5000, first=5000, live=2000, vm=6000, rss=2000)
    after = released("2", load=5000, first=5000, live=1000, vm=6000, rss=rss)
    assert echoes(RSS_FIRST, before, after) is echo


def test_the_heap_is_no_echo_of_itself() -> None:
    before, after = released("1", 900, 800, 700, 0, 0), released("2", 1000, 800, 700, 0, 0)
    assert not echoes(Figure(Gauge.HEAP, Phase.LOAD_MODEL, Metric.PEAK), before, after)


def test_without_a_heap_there_is_nothing_to_echo() -> None:
    alone = [
        MeasurementSet(
            ncnn,
            MACHINE,
            {
                "net-t1": Measurement(
                    "net-t1", "m", {Gauge.PAGES: Reading(OK, {Phase.FIRST: {Metric.VM_PEAK: vm}})}
                )
            },
        )
        for ncnn, vm in (("1", 100), ("2", 500))
    ]
    assert not echoes(VM_FIRST, *alone)
