"""What a campaign's rows are counted as, and how that is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ncnn_peakmem.baselines import VerdictKind
from ncnn_peakmem.measurement import Gauge, Metric, Phase
from ncnn_peakmem.reliability.campaign import Part, Tally
from ncnn_peakmem.reports.campaign import in_short, render
from tests.reliability.campaign.made_up import KIB, injected_and_seen, tally, trial


def page(counted: Tally) -> str:
    return render(counted, data="campaign.jsonl", page="campaign.md")


@pytest.mark.parametrize("kind", [VerdictKind.REGRESSED, VerdictKind.BROKEN, VerdictKind.NEW])
def test_whatever_a_gate_does_not_accept_is_a_false_alarm(kind: VerdictKind) -> None:
    counted = tally(trial(VerdictKind.SAME), trial(kind, number=2), trial(VerdictKind.IMPROVED, number=3))

    assert [alarm.number for alarm in counted.false_alarms] == [2]
    assert [gain.number for gain in counted.false_gains] == [3]
    assert counted.probes == 3
    assert "3 identical probes: 1 false alarm;" in in_short(counted)
    assert "**3 identical probes: 1 false alarm.** 1 were told as improved." in page(counted)


def test_false_alarms_are_counted_by_gauge_threads_and_load() -> None:
    moved = {Phase.FIRST: {Metric.VM_PEAK: 20 * KIB}, Phase.STEADY: {Metric.VM_PEAK: -4 * KIB}}
    counted = tally(
        trial(VerdictKind.SAME),
        trial(VerdictKind.REGRESSED, loaded=True, moved=moved),
        trial(VerdictKind.SAME, loaded=True, number=2),
        trial(VerdictKind.SAME, gauge=Gauge.HEAP),
    )

    heap, idle, busy = counted.identical_counts()

    assert (heap.gauge, heap.alarms, heap.figures, heap.share) == (Gauge.HEAP, 0, 2, 0.0)
    assert (idle.loaded, idle.probes, idle.alarms, idle.moved) == (False, 1, 0, 0)
    assert (busy.loaded, busy.probes, busy.figures, busy.alarms) == (True, 2, 4, 1)
    assert (busy.moved, busy.largest, busy.share) == (2, 20 * KIB, 1.25)
    assert "| pages | 1 | kept busy | 2 | 4 | 2 | 20.0 KiB | 125 % | 0 | 1 |" in page(counted)
    assert "first vm_peak +20.0 KiB, steady vm_peak -4.0 KiB" in page(counted)


def test_what_moved_within_its_tolerance_is_told_too() -> None:
    by = {Phase.FIRST: {Metric.VM_PEAK: 4 * KIB}}
    back = {Phase.FIRST: {Metric.VM_PEAK: -8 * KIB}}
    counted = tally(
        trial(VerdictKind.SAME, moved=by), trial(VerdictKind.SAME, moved=back, number=2, loaded=True)
    )

    (movement,) = counted.movements()

    assert (movement.times, movement.cases, movement.least, movement.most) == (2, 1, -8 * KIB, 4 * KIB)
    assert "| pages | first vm_peak | 2 | 1 | -8.0 KiB | +4.0 KiB |" in page(counted)


def test_where_nothing_may_move_any_movement_is_more_than_a_share() -> None:
    moved = {Phase.FIRST: {Metric.PEAK: 1}}
    counted = tally(trial(VerdictKind.REGRESSED, gauge=Gauge.HEAP, moved=moved))

    (heap,) = counted.identical_counts()

    assert heap.share is None
    assert "| heap | 1 | left alone | 1 | 2 | 1 | 1 B | nothing may move | 0 | 1 |" in page(counted)


@pytest.mark.parametrize("kind", [VerdictKind.SAME, VerdictKind.IMPROVED, VerdictKind.BROKEN])
def test_growth_that_is_not_told_is_missed_from_the_resolution_on(kind: VerdictKind) -> None:
    injected = Part.INJECTED
    counted = tally(
        trial(kind, injected, phase=Phase.FIRST, held_bytes=32 * KIB - 1),
        trial(kind, injected, phase=Phase.FIRST, held_bytes=32 * KIB),
        injected_and_seen(Phase.FIRST, 64 * KIB),
    )

    assert [missed.held_bytes for missed in counted.misses] == [32 * KIB]
    assert (counted.injected, counted.due) == (3, 2)
    assert counted.seen_from(Gauge.PAGES) == 64 * KIB
    assert counted.false_alarms == ()
    assert "2 of 3 probes with injected growth at or above the stated resolution: 1 missed" in in_short(
        counted
    )
    assert "| 32.0 KiB | 0/1 **!** |" in page(counted)
    assert "| 64.0 KiB | 1/1 |" in page(counted)


@pytest.mark.parametrize("moved", [{}, {Phase.STEADY: {Metric.VM_PEAK: 16 * KIB}}])
def test_red_in_another_phase_than_the_grown_one_is_a_miss(moved: dict[Phase, dict[Metric, int]]) -> None:
    elsewhere = replace(
        injected_and_seen(Phase.STEADY, 32 * KIB), moved={Phase.FIRST: {Metric.VM_PEAK: 1 << 20}} | moved
    )

    assert tally(elsewhere).misses == (elsewhere,)


def test_each_gauge_has_its_own_answers_and_what_they_leave_open() -> None:
    quiet = [trial(VerdictKind.SAME, gauge=Gauge.HEAP, number=number) for number in range(600)]
    counted = tally(*quiet, trial(VerdictKind.SAME), trial(VerdictKind.REGRESSED, number=2))

    heap, pages = counted.gauge_counts()

    assert (heap.gauge, heap.identical, heap.alarms) == (Gauge.HEAP, 600, 0)
    assert (pages.gauge, pages.identical, pages.alarms) == (Gauge.PAGES, 2, 1)
    assert "By gauge: heap 0 of 600, pages 1 of 2." in page(counted)
    assert "| heap | 600 | 0 | 0.5 % |" in page(counted)
    assert "| pages | 2 | 1 | - |" in page(counted)


def test_misses_are_told_by_gauge_with_what_they_leave_open() -> None:
    counted = tally(*(injected_and_seen(phase, 64 * KIB) for phase in (Phase.FIRST, Phase.STEADY) * 15))

    assert "| pages | vm_peak and rss_anon | 32.0 KiB | 64.0 KiB | 30 | 0 | 10 % |" in page(counted)


def test_the_page_tells_how_many_probes_were_kept_busy_and_how_long_they_ran() -> None:
    text = page(
        tally(
            trial(VerdictKind.SAME),
            *(trial(VerdictKind.SAME, loaded=True, number=number) for number in (1, 2)),
        )
    )

    assert "2 of 3 while the campaign **kept** the machine **busy**" in text
    assert "- Left alone: 1 probe," in text
    assert "- Kept busy: 2 probes," in text
    assert "a probe here runs 4 to 12 inferences, one of the gate\n  12 at least and up to 400." in text


def test_a_size_that_went_unseen_once_is_not_what_all_is_seen_from() -> None:
    counted = tally(
        *(
            injected_and_seen(Phase.FIRST, 1 * KIB),
            injected_and_seen(Phase.FIRST, 2 * KIB),
            trial(VerdictKind.SAME, Part.INJECTED, phase=Phase.STEADY, held_bytes=2 * KIB),
            injected_and_seen(Phase.FIRST, 4 * KIB),
        )
    )

    assert counted.seen_from(Gauge.PAGES) == 4 * KIB
    assert counted.seen_from(Gauge.HEAP) is None
