"""The child dies by a signal or leaves by itself."""

from __future__ import annotations

import signal

import pytest

from ncnn_peakmem.measurement import Gauge, OutcomeKind, Phase
from tests.faults.conftest import Faulty, Measure, assert_only_that_phase_is_lost, gone, in_each_phase


def assert_crashed(measure: Measure, faulty: Faulty, gauge: Gauge, phase: Phase, number: int) -> None:
    runtime = faulty(phase, f"posix.kill(posix.getpid(), {number}); time.sleep(60)")

    reading = measure(gauge, runtime)

    assert reading.outcome.kind is OutcomeKind.CRASHED
    assert reading.outcome.cause.startswith(f"{signal.Signals(number).name} in ")
    assert_only_that_phase_is_lost(reading, gauge, phase)


@pytest.mark.fault(
    "the child is killed by SIGKILL, in each phase", "`crashed`; earlier phases keep their figures"
)
@in_each_phase
def test_sigkill(measure: Measure, faulty: Faulty, gauge: Gauge, phase: Phase) -> None:
    assert_crashed(measure, faulty, gauge, phase, signal.SIGKILL)


@pytest.mark.fault(
    "the child crashes with SIGSEGV, in each phase", "`crashed`; earlier phases keep their figures"
)
@in_each_phase
def test_sigsegv(measure: Measure, faulty: Faulty, gauge: Gauge, phase: Phase) -> None:
    assert_crashed(measure, faulty, gauge, phase, signal.SIGSEGV)


@pytest.mark.fault(
    "the child aborts with SIGABRT, in each phase", "`crashed`; earlier phases keep their figures"
)
@in_each_phase
def test_sigabrt(measure: Measure, faulty: Faulty, gauge: Gauge, phase: Phase) -> None:
    assert_crashed(measure, faulty, gauge, phase, signal.SIGABRT)


@pytest.mark.fault("the child dies of a signal without a name", "`crashed`, by the signal's number")
def test_signal_without_a_name(measure: Measure, faulty: Faulty) -> None:
    number = signal.SIGRTMIN + 3

    outcome = measure(Gauge.PAGES, faulty(Phase.FIRST, f"posix.kill(posix.getpid(), {number})")).outcome

    assert (outcome.kind, outcome.cause) == (OutcomeKind.CRASHED, f"signal {number} in infer")


@pytest.mark.fault("ncnn ends the process by itself, in each phase", "`crashed`, with the exit status")
@pytest.mark.parametrize("phase", Phase)
def test_exit(measure: Measure, faulty: Faulty, phase: Phase) -> None:
    outcome = measure(Gauge.PAGES, faulty(phase, "posix.write(2, b'enough\\n'); posix._exit(0)")).outcome

    assert (outcome.kind, outcome.phase) == (OutcomeKind.CRASHED, phase)
    assert outcome.cause.startswith("exit status 0 in ")
    assert outcome.cause.endswith("(enough)")


@pytest.mark.fault(
    "the child dies and leaves a process of its own behind", "`crashed`; that process is killed too"
)
def test_left_process_is_killed(measure: Measure, faulty: Faulty) -> None:
    # The one left holds the wire and stderr open.
    act = (
        "left = posix.fork()\n"
        "if left == 0: time.sleep(600)\n"
        "posix.write(2, b'%d\\n' % left); posix.kill(posix.getpid(), 11)"
    )

    outcome = measure(Gauge.PAGES, faulty(Phase.LOAD_MODEL, act)).outcome

    assert outcome.kind is OutcomeKind.CRASHED
    assert gone([int(outcome.cause.rpartition("(")[2].removesuffix(")"))])
