"""An examination where probes fail after they have read, and where no child can be asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ncnn_peakmem import runtimes
from ncnn_peakmem.measurement import JUDGED, Gauge, Outcome, OutcomeKind, Phase, Reading
from ncnn_peakmem.probe import Job, ProbeEnded
from ncnn_peakmem.reliability import examination, yardstick
from ncnn_peakmem.reliability.cost import Cost
from ncnn_peakmem.reliability.diagnosis import Diagnosis
from ncnn_peakmem.reliability.examination import Examination
from ncnn_peakmem.reliability.finding import State
from ncnn_peakmem.reliability.surroundings import Surroundings
from ncnn_peakmem.reliability.witness import Witness

CRASH = Outcome(OutcomeKind.CRASHED, "SIGSEGV", Phase.STEADY)
REPEATS = 5


class Probes:
    """Stands in for probing: every reading is complete, but for those that `crashes` picks."""

    def __init__(self) -> None:
        self.asked: list[tuple[Gauge, int, bool]] = []
        self.crashes: Callable[[Gauge, int, int], bool] = lambda *_: False

    def __call__(self, gauge: Gauge, job: Job, *_: object) -> Reading:
        held = job.runtime.module.suffix == ".py"
        self.asked.append((gauge, job.threads, held))
        number = sum(asked[0] is gauge for asked in self.asked)
        if self.crashes(gauge, job.threads, number):
            return Reading(CRASH, {})
        size = 1 << 20
        if held:
            size += int(job.runtime.module.read_text().partition("BYTES = ")[2].splitlines()[0], 16)
        floor = dict.fromkeys(JUDGED[gauge], 0)
        phases = {phase: floor if phase is Phase.IMPORT else dict.fromkeys(floor, size) for phase in Phase}
        return Reading(Outcome(OutcomeKind.OK), phases)


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch, witness: Witness, surroundings: Surroundings) -> Probes:
    found = Probes()
    monkeypatch.setattr(examination, "probe", found)
    monkeypatch.setattr("ncnn_peakmem.reliability.surroundings.look", lambda: surroundings)
    monkeypatch.setattr("ncnn_peakmem.reliability.witness.call", lambda *_: witness)
    monkeypatch.setattr(
        examination, "costs", lambda timed, *_: tuple(Cost(one, 1.0, 1.0, 1.0) for one in timed)
    )
    return found


@pytest.fixture
def examined(probes: Probes, tmp_path: Path) -> Callable[[], Diagnosis]:
    return Examination(runtimes.installed(), yardstick.USUAL, REPEATS, tmp_path).run


def told(diagnosis: Diagnosis, name: str) -> list[tuple[State, str]]:
    return [(one.state, one.found) for one in diagnosis.findings if one.name == name]


def gauges(found: Any) -> set[Gauge]:
    return {one.gauge for one in found}


def test_all_gauges_are_examined_where_all_read(examined: Callable[[], Diagnosis]) -> None:
    found = examined()

    assert found.trusted
    assert gauges(found.spreads) == gauges(found.resolutions) == set(Gauge)
    assert told(found, "memray") == [(State.OK, "records every allocation of the child")]


@pytest.mark.parametrize(
    ("gauge", "name", "crashes", "where"),
    [
        (Gauge.HEAP, "memray", (1, 3), "heap, 1 thread, number 2"),
        (Gauge.PAGES, "pages", (2, 2 + REPEATS), "pages, 2 threads, number 1"),
        # The first try and all repeats with one thread and two come before these.
        (Gauge.HEAP, "memray", (1, 2 + 2 * REPEATS), "holding nothing more"),
        (Gauge.PAGES, "pages", (1, 4 + 2 * REPEATS), "holding 512 bytes"),
    ],
)
def test_gauge_that_fails_after_it_has_read_is_broken_and_left_out(
    examined: Callable[[], Diagnosis],
    probes: Probes,
    gauge: Gauge,
    name: str,
    crashes: tuple[int, int],
    where: str,
) -> None:
    probes.crashes = lambda asked, threads, number: asked is gauge and (threads, number) == crashes

    found = examined()

    ((state, cause),) = told(found, name)
    assert state is State.BROKEN
    assert "SIGSEGV" in cause
    assert where in cause
    assert not found.trusted
    assert gauges(found.spreads) == gauges(found.resolutions) == set(Gauge) - {gauge}
    assert gauge not in gauges(found.costs)


def test_child_that_cannot_be_asked_is_one_finding_among_others(
    examined: Callable[[], Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*_: object) -> None:
        raise ProbeEnded(Outcome(OutcomeKind.FAILED, "/proc shows other processes", Phase.LOAD_PARAM))

    monkeypatch.setattr("ncnn_peakmem.reliability.witness.call", end)

    found = examined()

    ((state, cause),) = told(found, "controls")
    assert (state, found.state) == (State.BROKEN, State.BROKEN)
    assert "/proc shows other processes" in cause
    assert told(found, "aslr") == []
    assert told(found, "memory") != []
    assert gauges(found.spreads) == set(Gauge)


def test_sizes_that_a_gauge_tolerates_cost_no_probes(
    examined: Callable[[], Diagnosis], probes: Probes
) -> None:
    examined()

    assert sum(held for gauge, _, held in probes.asked if gauge is Gauge.DEPLOYED) == 2
