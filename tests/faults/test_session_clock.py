"""A clock that is set back and ahead while runs go on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ncnn_peakmem.owned_folder import OwnedFolder
from tests.conftest import SMALL_PARAM
from tests.faults.session import Session, session_in

JUMPING = """
import random, time
real, chance = time.time, random.Random(7)
time.time = lambda: real() + chance.randrange(-10**9, 10**9)
"""
"""A wall clock that is decades off, another number of them each time that it is asked."""


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return session_in(tmp_path, SMALL_PARAM)


@pytest.mark.fault(
    "the clock moved by decades, back and ahead, while a run measures, updates and waits",
    "no figure, verdict, time limit or lock depends on it",
)
def test_jumping_clock(session: Session) -> None:
    session.plug_in("jumping", JUMPING)

    updated = session.pytest("-p", "jumping", "--peakmem-update", "-k", "small")
    judged = session.pytest("-p", "jumping", "-k", "small")

    assert updated.code == 0, updated.text
    assert judged.code == 0, judged.text
    assert "2 cases judged: 2 same" in judged.text


@pytest.mark.parametrize("moved_to", [0, 2**31], ids=["1970", "2038"])
@pytest.mark.fault(
    "the clock moved while another run goes on: its folder seems to be of 1970, or of 2038",
    "the folder of a live run stays; one of a dead run goes after three days",
)
def test_folder_of_a_live_run(session: Session, moved_to: int) -> None:
    runs = session.folder / "cache" / "runs"
    runs.mkdir(parents=True)
    alive, dead = OwnedFolder(runs, "run-"), OwnedFolder(runs, "run-")
    for folder in (alive, dead):
        (folder.path / "record").touch()
        os.utime(folder.path, (moved_to, moved_to))
    dead.release()

    assert session.pytest("-k", "nothing").code == pytest.ExitCode.NO_TESTS_COLLECTED

    assert (alive.path / "record").exists()
    assert dead.path.exists() == (moved_to > 0)
    alive.release()
