"""Ctrl-C, SIGTERM and SIGKILL at moments that chance picks: what was measured is kept, nothing is left."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from ncnn_peakmem.measurement import Measurement
from tests.conftest import SMALL_PARAM
from tests.faults.session import STOPPING, Session, cases_of, session_in

# What the four cases go through with gauge heap.
MOMENTS = 100
CODES = {signal.SIGINT: pytest.ExitCode.INTERRUPTED, signal.SIGTERM: 143}


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return session_in(tmp_path, SMALL_PARAM)


def moments(seed: str, count: int) -> list[int]:
    """Some in each part of a run."""
    chance = random.Random(seed)
    part = MOMENTS // count
    return [chance.randrange(number * part, (number + 1) * part) + 1 for number in range(count)]


def assert_kept(session: Session, told: str) -> None:
    """Whatever was measured is whole, and has become the baseline if the writing of it was not stopped."""
    measured = session.records()
    for record in measured.values():
        Measurement.from_json(record)
    stored = cases_of(session.baseline) if session.baseline.exists() else []
    assert stored == sorted(measured) or (stored == [] and "writing was interrupted" in told)
    assert session.drafts() == []


@pytest.mark.parametrize("moment", moments("int", 2))
@pytest.mark.fault(
    "Ctrl-C at a random moment of a run that updates baselines",
    "exit code 2; cases measured by then become baselines; no process, folder or half a file is left",
)
def test_ctrl_c(session: Session, moment: int) -> None:
    session.stop_at(moment, signal.SIGINT)

    finished = session.pytest("-p", "stopping", "--peakmem-update")

    assert finished.code == CODES[signal.SIGINT], finished.text
    assert_kept(session, finished.text)
    assert session.left() == []


@pytest.mark.parametrize("moment", moments("term", 3))
@pytest.mark.fault(
    "SIGTERM at a random moment of a run that updates baselines",
    "as Ctrl-C, with exit code 143",
)
def test_sigterm(session: Session, moment: int) -> None:
    session.stop_at(moment, signal.SIGTERM)

    finished = session.pytest("-p", "stopping", "--peakmem-update")

    assert finished.code == CODES[signal.SIGTERM], finished.text
    assert_kept(session, finished.text)
    assert session.left() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.fault(
    "Ctrl-C or SIGTERM while two xdist workers measure",
    "exit code 2 or 143; no process is left; the workers' folders go with them or with the next run",
)
def test_stopped_with_workers(session: Session, number: signal.Signals) -> None:
    (moment,) = moments(f"workers {number.name}", 1)
    session.stop_at(moment // 2 + 1, number)

    finished = session.pytest("-p", "stopping", "--peakmem-update", "-n", "2")

    assert finished.code == CODES[number], finished.text
    for record in session.records().values():
        Measurement.from_json(record)
    assert session.drafts() == []
    assert session.program("measure", "small").code == 0
    assert session.left() == []


@pytest.mark.fault(
    "SIGKILL in the middle of a probe",
    "what was measured is kept; the folders that it left go with the next run, those of live runs stay",
)
def test_killed(session: Session) -> None:
    session.stop_at(MOMENTS // 2 + 1, signal.SIGKILL)
    assert session.pytest("-p", "stopping", "--peakmem-update").code == -signal.SIGKILL
    kept = session.records()
    assert kept
    assert session.left()

    assert session.program("measure", "small").code == 0

    assert session.left() == []
    assert session.records() == kept


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["measure", "compare", "anatomy"])
@pytest.mark.fault(
    "Ctrl-C or SIGTERM at a random moment of `ncnn-peakmem measure`, `compare` and `anatomy`",
    "exit code 130 or 143, in a word; no process and no folder is left",
)
def test_program_stopped(session: Session, command: str, number: signal.Signals) -> None:
    moment = random.Random(f"{command} {number.name}").randrange(1, 20)
    session.environment |= {"STOP_AT": str(moment), "STOP_BY": number.name}
    what = {"compare": ["installed", "installed"]}.get(command, ["small"])

    finished = session.program(command, *what, before=STOPPING)

    assert finished.code == {signal.SIGINT: 130, signal.SIGTERM: 143}[number], finished.text
    assert {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}[number] in finished.text
    assert session.left() == []
