"""The child never ends a step."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from ncnn_peakmem.measurement import Gauge, OutcomeKind, Phase
from ncnn_peakmem.probe import Conditions, launcher
from tests.faults.conftest import (
    HANG,
    Cgroup,
    Clock,
    Faulty,
    Measure,
    assert_only_that_phase_is_lost,
    gone,
    in_each_phase,
)


@pytest.mark.fault("the child hangs, in each phase", "`timed_out`; earlier phases keep their figures")
@in_each_phase
def test_hang(measure: Measure, faulty: Faulty, clock: Clock, gauge: Gauge, phase: Phase) -> None:
    reading = measure(gauge, faulty(phase, clock.act))

    assert reading.outcome.kind is OutcomeKind.TIMED_OUT
    assert reading.outcome.cause.endswith("did not end within 120 s")
    assert_only_that_phase_is_lost(reading, gauge, phase)


@pytest.mark.fault(
    "the child hangs, and real time passes", "`timed_out` after what `step_timeout_seconds` allows"
)
def test_patience_ends(measure: Measure, faulty: Faulty) -> None:
    runtime = faulty(Phase.LOAD_MODEL, HANG)

    outcome = measure(Gauge.PAGES, runtime, conditions=Conditions(step_timeout_seconds=2)).outcome

    assert outcome.kind is OutcomeKind.TIMED_OUT
    assert outcome.cause == "load_model did not end within 2 s"


@pytest.mark.fault(
    "the child hangs with every signal ignored that can be", "`timed_out`; it is killed all the same"
)
def test_stubborn_child(measure: Measure, faulty: Faulty, clock: Clock, tmp_path: Path) -> None:
    told = tmp_path / "told"
    act = (
        "import _signal\n"
        "for number in (1, 2, 15): _signal.signal(number, 1)\n"
        f"open({str(told)!r}, 'w').write(str(posix.getpid()))"
    )

    outcome = measure(Gauge.PAGES, faulty(Phase.FIRST, f"{act}\n{clock.act}")).outcome

    assert outcome.kind is OutcomeKind.TIMED_OUT
    assert gone([int(told.read_text())])


@pytest.mark.fault("the child is stopped (SIGSTOP)", "`timed_out`; it is killed all the same")
def test_stopped_child(measure: Measure, faulty: Faulty, clock: Clock) -> None:
    act = clock.act.replace(HANG, f"posix.kill(posix.getpid(), {signal.SIGSTOP})")

    assert measure(Gauge.PAGES, faulty(Phase.FIRST, act)).outcome.kind is OutcomeKind.TIMED_OUT
    assert psutil.Process().children() == []


@pytest.mark.fault(
    "the child hangs in the kernel, where no signal reaches it",
    "`timed_out`; it is not waited for, and dies when the kernel lets go of it",
)
def test_unkillable_child(
    measure: Measure,
    faulty: Faulty,
    clock: Clock,
    cgroup: Callable[[str], Cgroup],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(launcher, "_DYING_SECONDS", 0.1)
    group = cgroup("freezer")
    if group.second:
        pytest.skip("cgroup v2 lets frozen processes be killed")
    state = group.path / "freezer.state"
    act = (
        "if posix.fork() == 0:\n"
        f"    while open({str(state)!r}).read() != 'FROZEN\\n': time.sleep(0.001)\n"
        f"    {clock.act}\n"
        f"open({str(group.members)!r}, 'w').write(str(posix.getpid()))\n"
        f"open({str(state)!r}, 'w').write('FROZEN')"
    )

    outcome = measure(Gauge.PAGES, faulty(Phase.LOAD_MODEL, act)).outcome

    (left,) = launcher._undying
    assert (outcome.kind, outcome.phase) == (OutcomeKind.TIMED_OUT, Phase.LOAD_MODEL)
    assert left.poll() is None
    state.write_text("THAWED")
    assert left.wait(timeout=30) == -signal.SIGKILL
    launcher._undying.clear()
