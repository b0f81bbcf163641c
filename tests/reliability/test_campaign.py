"""The campaign's counting, its data file and its order, on rows that are made up."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from ncnn_peakmem import catalog, runtimes
from ncnn_peakmem.baselines import VerdictKind
from ncnn_peakmem.case import Case, Precision
from ncnn_peakmem.conversion import Cache
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import Gauge, Metric, Outcome, OutcomeKind, Phase, Reading
from ncnn_peakmem.network import Loops
from ncnn_peakmem.probe import Conditions
from ncnn_peakmem.reliability.campaign import (
    Anchor,
    Campaign,
    CampaignError,
    DataFile,
    Part,
    Plan,
    Record,
    Setting,
    Tally,
    Trial,
    campaign,
)
from ncnn_peakmem.reliability.campaign.load import LoadEnded, load
from ncnn_peakmem.reports.campaign import in_short, render
from ncnn_peakmem.tolerance import GaugeTolerance, Tolerance

CASE = "small-fp32-light-t1"
MACHINE = MachineClass("riscv64", (), 1 << 20, 4, 4096, "glibc2.40")
SETTING = Setting("1.0.20260101", MACHINE, 4, Loops(4, 12), "6.1.2")
KIB = 1024


def anchor(part: Part = Part.IDENTICAL, gauge: Gauge = Gauge.PAGES, **changed: Any) -> Anchor:
    metric = Metric.PEAK if gauge is Gauge.HEAP else Metric.VM_PEAK
    found = Anchor(
        part=part,
        case=CASE,
        gauge=gauge,
        threads=1,
        model="small",
        tolerance=Tolerance(0 if gauge is Gauge.HEAP else 16 * KIB),
        figures={Phase.FIRST: {metric: 1 << 20}, Phase.STEADY: {metric: 2 << 20}},
        loops=4,
        settled_at=0,
        load_average=0.5,
    )
    return replace(found, **changed)


def trial(
    verdict: VerdictKind, part: Part = Part.IDENTICAL, gauge: Gauge = Gauge.PAGES, **changed: Any
) -> Trial:
    return replace(Trial(part, CASE, gauge, verdict, seconds=0.2, load_average=1.5), **changed)


def injected_and_seen(phase: Phase, held_bytes: int) -> Trial:
    moved = {phase: {Metric.VM_PEAK: 17 * KIB}}
    return trial(VerdictKind.REGRESSED, Part.INJECTED, phase=phase, held_bytes=held_bytes, moved=moved)


def tally(*trials: Trial, anchors: tuple[Anchor, ...] | None = None) -> Tally:
    known = anchors or tuple(anchor(part, gauge) for part in Part for gauge in Gauge)
    return Tally(Record(SETTING, {first.subject: first for first in known}, trials))


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


@pytest.mark.parametrize(
    ("tolerance", "stated"),
    [
        (Tolerance(), 512),
        (Tolerance(16 * KIB), 32 * KIB),
        # Of the highest of its figures, 2 MiB.
        (Tolerance(16 * KIB, 0.15), 2 * int(0.15 * (2 << 20))),
    ],
)
def test_resolution_is_twice_the_tolerance(tolerance: Tolerance, stated: int) -> None:
    assert anchor(tolerance=tolerance).resolution == stated


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


def test_rows_are_read_back_without_loss(tmp_path: Path) -> None:
    data = DataFile(tmp_path / "campaign.jsonl")
    moved = {Phase.FIRST: {Metric.VM_PEAK: -4096}}
    rows = (
        trial(VerdictKind.REGRESSED, loaded=True, number=3, moved=moved, reason="why"),
        trial(VerdictKind.SAME, Part.INJECTED, phase=Phase.UNLOAD, held_bytes=512),
    )
    firsts = (anchor(), anchor(Part.INJECTED, threads=2, tolerance=Tolerance(1, 0.15)))
    with data.growing(SETTING) as before:
        assert before == Record(SETTING, {}, ())
        for row in (*firsts, *rows):
            data.add(row)

    assert data.read() == Record(SETTING, {first.subject: first for first in firsts}, rows)


def test_what_a_kill_cut_short_is_not_in_the_way(tmp_path: Path) -> None:
    data = DataFile(tmp_path / "campaign.jsonl")
    with data.growing(SETTING):
        data.add(anchor())
        data.add(trial(VerdictKind.SAME, number=1))
    whole = data.path.read_bytes()
    data.path.write_bytes(whole + b'{"trial":{"part":"iden')

    with data.growing(SETTING) as found:
        assert [did.number for did in found.trials] == [1]
        data.add(trial(VerdictKind.SAME, number=2))

    found_again = data.read()
    assert found_again is not None
    assert [did.number for did in found_again.trials] == [1, 2]
    assert data.path.read_bytes().startswith(whole)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("[1]", "is no row of a campaign"),
        ("{}", "is no row of a campaign"),
        ('{"verdict":{}}', "is no row of a campaign"),
        ('{"schema":2,"setting":{}}', "has schema 2"),
        ('{"trial":{"part":"identical"}}', "case: Field required"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(tmp_path: Path, line: str, told: str) -> None:
    data = DataFile(tmp_path / "campaign.jsonl")
    with data.growing(SETTING):
        data.add(anchor())
    with data.path.open("a") as file:
        file.write(line + "\n")

    with pytest.raises(CampaignError, match=rf"campaign\.jsonl:3: {told}"):
        data.read()


def test_a_trial_needs_its_anchor_and_rows_need_a_setting(tmp_path: Path) -> None:
    data = DataFile(tmp_path / "campaign.jsonl")
    data.add(anchor())
    with pytest.raises(CampaignError, match="1: the first line must tell the setting"):
        data.read()

    data = DataFile(tmp_path / "other.jsonl")
    with data.growing(SETTING):
        data.add(trial(VerdictKind.SAME))
    with pytest.raises(CampaignError, match="2: small-fp32-light-t1 pages has no anchor"):
        data.read()


@pytest.mark.parametrize(
    ("here", "told"),
    [
        (replace(SETTING, ncnn="1.0.20250101"), "ncnn 1.0.20260101, now 1.0.20250101"),
        (replace(SETTING, kernel=""), "kernel 6.1.2, now unknown"),
        (
            replace(SETTING, cpus=2, loops=Loops(4, 24)),
            "cpus 4, now 2, loops 4 to 12, settling 2, now 4 to 24, settling 2",
        ),
        (replace(SETTING, loops=Loops(4, 12, 3.0)), "loops 4 to 12, settling 2, now 4 to 12, settling 3"),
        (
            replace(SETTING, machine=replace(MACHINE, page_bytes=16384)),
            f"machine {MACHINE.id}, now {replace(MACHINE, page_bytes=16384).id}",
        ),
    ],
)
def test_a_file_of_another_setting_is_left_alone(tmp_path: Path, here: Setting, told: str) -> None:
    data = DataFile(tmp_path / "campaign.jsonl")
    with data.growing(SETTING):
        data.add(anchor())
    before = data.path.read_bytes()

    with pytest.raises(CampaignError, match="another setting") as refused, data.growing(here):
        pass

    assert f"({told})" in str(refused.value)
    assert data.path.read_bytes() == before


def test_two_campaigns_do_not_write_one_file(tmp_path: Path) -> None:
    data = DataFile(tmp_path / "campaign.jsonl")
    with (
        data.growing(SETTING),
        pytest.raises(CampaignError, match="another campaign writes it"),
        DataFile(data.path).growing(SETTING),
    ):
        pass


def test_half_of_the_identical_probes_are_loaded_and_no_probe_is_planned_twice() -> None:
    case = Case("small", Precision.FP32, ())
    plan = Plan((case, replace(case, threads=2)), (case,), repeats=3)

    blocks = list(plan.blocks)

    tasks = [task for block in blocks for task in block.tasks]
    identical = [task for task in tasks if task.part is Part.IDENTICAL]
    assert len(identical) == 2 * 3 * len(Gauge) * 2
    assert sum(task.loaded for task in identical) == len(identical) // 2
    assert all(task.loaded is block.loaded for block in blocks for task in block.tasks)
    assert [block.loaded for block in blocks] == [False, True] * 3 + [False]
    assert len({task.key for task in tasks}) == len(tasks) == plan.count
    held = {task.held_bytes for task in tasks if task.gauge is Gauge.HEAP and task.part is Part.INJECTED}
    assert held == {512 << doubling for doubling in range(12)}
    assert max(held) == 1 << 20


def test_slow_cases_come_every_third_round_and_half_of_them_loaded() -> None:
    quick, slow = Case("quick", Precision.FP32, ()), Case("slow", Precision.FP32, ())
    plan = Plan((quick, slow), (), repeats=6, seldom=frozenset({slow.id}), gauges=(Gauge.HEAP,))

    tasks = [task for block in plan.blocks for task in block.tasks]

    assert sum(task.case is quick for task in tasks) == 12
    assert [(task.number, task.loaded) for task in tasks if task.case is slow] == [
        (1, False),
        (1, True),
        (4, False),
        (4, True),
    ]


def test_the_load_is_there_within_its_context_and_gone_after_it() -> None:
    with load() as busy:
        processes = [psutil.Process(process.pid) for process in busy.processes]
        assert len(processes) >= 3
        busy.check()

    assert not any(process.is_running() for process in processes)


def test_a_load_that_ends_by_itself_is_told() -> None:
    with load() as busy:
        busy.processes[-1].kill()
        busy.processes[-1].wait()

        with pytest.raises(LoadEnded, match="ended by itself"):
            busy.check()


def test_the_load_dies_with_a_campaign_that_is_killed() -> None:
    script = (
        "import sys\n"
        "from ncnn_peakmem.reliability.campaign.load import load\n"
        "with load() as busy:\n"
        "    print(*(process.pid for process in busy.processes), flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        processes = [psutil.Process(int(id_)) for id_ in parent.stdout.readline().split()]
        assert len(processes) >= 3
        parent.send_signal(signal.SIGKILL)

    _, left = psutil.wait_procs(processes, timeout=30)
    # Not every container has somebody who reaps orphans.
    alive = [process for process in left if process.status() != psutil.STATUS_ZOMBIE]
    for process in alive:
        process.kill()
    assert alive == []


MODELS = """\
schema: 1
default_profile: all
reference_release: 1.0.20260101
step_timeout_seconds: 60
loops: {minimum: 12, maximum: 400, settle_factor: 2}
networks:
  small: {param: small.param}
axes:
  lightmode:
    choices:
      light: {lightmode: true}
      heavy: {lightmode: false}
    default: light
    id: always
profiles:
  all:
    - {networks: all, axes: [lightmode], threads: [1]}
tolerances:
  heap:
    between_releases: {absolute: 0, relative: 0 %}
    same_release: {absolute: 0, relative: 0 %}
  pages:
    between_releases: {absolute: 16 KiB, relative: 0 %}
    same_release: {absolute: 16 KiB, relative: 0 %}
  deployed:
    between_releases: {absolute: 0, relative: 0 %}
    same_release: {absolute: 0, relative: 0 %}
"""


class Probes:
    """Stands in for probing: answers with a figure that grows by what a build's source says it holds."""

    def __init__(self) -> None:
        self.asked = 0
        self.stop_at: int | None = None
        self.outcome = Outcome(OutcomeKind.OK)

    def __call__(self, gauges: list[Gauge], build: runtimes.Runtime, *_: object) -> Mapping[Gauge, Reading]:
        if self.asked == self.stop_at:
            raise KeyboardInterrupt
        self.asked += 1
        held = 0
        if build.module.suffix == ".py":
            source = build.module.read_text()
            held = int(source.partition("BYTES = ")[2].splitlines()[0], 16)
        phases = {phase: {Metric.VM_PEAK: 100_007 + held} for phase in Phase}
        phases[Phase.IMPORT] = {Metric.VM_PEAK: 7}
        return {gauge: Reading(self.outcome, phases, 4) for gauge in gauges}


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> Probes:
    found = Probes()
    monkeypatch.setattr(campaign, "read_gauges", found)
    return found


@pytest.fixture
def made(small_param: Path, tmp_path: Path, probes: Probes) -> Callable[[], Campaign]:
    """Makes a campaign of 3 first readings and 14 probes to judge."""
    (tmp_path / "models.yaml").write_text(MODELS)
    known = catalog.load(tmp_path / "models.yaml")
    light, heavy = known.cases("all")
    plan = Plan((light, heavy), (light,), repeats=1, gauges=(Gauge.PAGES,), sizes=(512, 32 * KIB))

    def make() -> Campaign:
        return Campaign(
            plan,
            DataFile(tmp_path / "campaign.jsonl"),
            SETTING,
            known,
            runtimes.installed(),
            Conditions(),
            Cache(tmp_path / "cache"),
        )

    return make


def test_growth_is_judged_against_the_stand_in_that_holds_nothing(made: Callable[[], Campaign]) -> None:
    record = made().run()

    counted = Tally(record)
    assert (counted.probes, counted.injected, counted.due) == (4, 10, 5)
    assert counted.false_alarms == counted.misses == ()
    below = [row for row in record.trials if row.held_bytes == 512]
    assert {row.verdict for row in below} == {VerdictKind.SAME}
    assert {did_move[2] for row in below for did_move in row.differences} == {512}


@pytest.mark.parametrize("stop_at", [0, 1, 3, 9])
def test_an_interrupted_campaign_goes_on_where_it_stopped(
    made: Callable[[], Campaign], probes: Probes, stop_at: int
) -> None:
    probes.stop_at = stop_at
    with pytest.raises(KeyboardInterrupt):
        made().run()
    probes.stop_at = None

    record = made().run()

    # Every answer was asked for once, and is there once.
    assert probes.asked == 3 + 14
    assert len({row.key for row in record.trials}) == len(record.trials) == 14
    assert made().run() == record
    assert probes.asked == 3 + 14


def test_an_alarm_is_written_down_with_the_judges_reason(
    made: Callable[[], Campaign], probes: Probes
) -> None:
    probes.stop_at = 3
    with pytest.raises(KeyboardInterrupt):
        made().run()
    probes.stop_at = None
    probes.outcome = Outcome(OutcomeKind.CRASHED, "SIGSEGV in infer", Phase.STEADY)

    # The stand-in's first reading is still to come, and cannot be had any more.
    with pytest.raises(CampaignError, match="cannot be measured: pages crashed in steady: SIGSEGV"):
        made().run()
    found = DataFile(made().data.path).read()
    assert found is not None
    assert [row.verdict for row in found.trials if row.reason][-1] is VerdictKind.BROKEN


def test_a_model_that_was_converted_anew_is_not_compared(
    made: Callable[[], Campaign], probes: Probes, small_param: Path
) -> None:
    probes.stop_at = 4
    with pytest.raises(KeyboardInterrupt):
        made().run()
    probes.stop_at = None
    small_param.write_text(small_param.read_text().replace("0=32 1=32 2=3", "0=48 1=48 2=3"))

    with pytest.raises(CampaignError, match="the converted model of small is another one by now"):
        made().run()


def test_what_was_judged_by_another_tolerance_is_not_gone_on_with(
    made: Callable[[], Campaign], probes: Probes
) -> None:
    probes.stop_at = 4
    with pytest.raises(KeyboardInterrupt):
        made().run()
    probes.stop_at = None
    before = made()
    wider = {
        name: {
            gauge: one.widened(GaugeTolerance(Tolerance(), Tolerance(32 * KIB))) for gauge, one in own.items()
        }
        for name, own in before.catalog.network_tolerances.items()
    }

    with pytest.raises(CampaignError, match=r"tolerance of small-\S+ with pages is another one by now"):
        replace(before, catalog=replace(before.catalog, network_tolerances=wider)).run()


def test_the_data_names_no_folder_of_this_machine(made: Callable[[], Campaign], tmp_path: Path) -> None:
    made().run()

    text = made().data.path.read_text()
    assert str(tmp_path) not in text
    assert json.loads(text.splitlines()[0])["schema"] == 1
