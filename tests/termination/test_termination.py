from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from ncnn_peakmem import run, runtimes
from ncnn_peakmem.case import Case, Precision
from ncnn_peakmem.measurement import Gauge, Outcome, OutcomeKind, Reading
from ncnn_peakmem.network import Loops, ModelFiles
from ncnn_peakmem.probe import Conditions
from ncnn_peakmem.termination import (
    Terminated,
    note_termination_only,
    raise_if_terminated,
    termination_came,
    termination_raised,
)


@pytest.fixture(autouse=True)
def unhandled() -> Iterator[None]:
    """SIGTERM as a process finds it: the session that runs this test handles it itself."""
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


class Passing:
    """Raises what Python passes over."""

    def __del__(self) -> None:
        terminate()


def test_first_is_raised_and_those_that_follow_are_passed_over() -> None:
    with termination_raised():
        assert not termination_came()
        with pytest.raises(Terminated):
            terminate()
        terminate()
        assert termination_came()

    assert not termination_came()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_one_that_comes_while_all_unwinds_is_noted_only() -> None:
    with termination_raised():
        note_termination_only()
        assert not termination_came()
        terminate()
        assert termination_came()
        note_termination_only()
        assert termination_came()


def test_nothing_is_noted_where_nothing_is_handled() -> None:
    note_termination_only()

    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_somebody_elses_handler_stays() -> None:
    came: list[int] = []

    def theirs(number: int, frame: FrameType | None) -> None:
        came.append(number)

    signal.signal(signal.SIGTERM, theirs)
    with termination_raised():
        note_termination_only()
        terminate()
        raise_if_terminated()

    assert came == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is theirs


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_one_that_python_passed_over_is_raised_again() -> None:
    with termination_raised():
        raise_if_terminated()
        Passing()
        gc.collect()
        with pytest.raises(Terminated):
            raise_if_terminated()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_probe_begins_after_one_that_python_passed_over(
    small_model: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    probed: list[Gauge] = []

    def probe(gauge: Gauge, *_: object, **__: object) -> Reading:
        probed.append(gauge)
        Passing()
        return Reading(Outcome(OutcomeKind.OK), {})

    monkeypatch.setattr(run, "probe", probe)
    case, loops = Case("small", Precision.FP32, ()), Loops(2, 2)
    with termination_raised(), pytest.raises(Terminated):
        run.read_gauges(set(Gauge), runtimes.installed(), case, small_model, loops, Conditions())

    assert probed == [Gauge.PAGES]
