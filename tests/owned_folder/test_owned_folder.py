"""Folders that go with their process, and are nobody else's meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ncnn_peakmem import owned_folder
from ncnn_peakmem.owned_folder import OwnedFolder, ScratchFolder, remove_unowned

OWNER = """\
import sys
from pathlib import Path
from ncnn_peakmem.owned_folder import OwnedFolder
print(OwnedFolder(Path(sys.argv[1]), "run-").path, flush=True)
sys.stdin.read()
"""


def test_a_sweep_between_making_and_opening_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    plain = tempfile.mkdtemp

    def swept_at_first(**where: Any) -> str:
        made.append(plain(**where))
        if len(made) == 1:
            assert remove_unowned(Path(made[0]))
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", swept_at_first)
    folder = OwnedFolder(tmp_path, "run-")

    assert folder.path == Path(made[1])
    assert folder.path.is_dir()
    folder.release()


def test_a_sweep_between_opening_and_locking_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: list[Path] = []
    plain = owned_folder._lock

    def late(descriptor: int, how: int) -> bool:
        if not swept:
            swept.append(Path(f"/proc/self/fd/{descriptor}").readlink())
            swept[0].rmdir()
        return plain(descriptor, how)

    monkeypatch.setattr(owned_folder, "_lock", late)
    folder = OwnedFolder(tmp_path, "run-")

    assert folder.path.is_dir()
    assert list(tmp_path.iterdir()) == [folder.path]
    folder.release()


def test_a_folder_that_cannot_be_opened_is_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> int:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", none_left)
        with pytest.raises(OSError, match="Too many open files"):
            OwnedFolder(tmp_path, "run-")

    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process, and the folder it owns."""
    command = [sys.executable, "-c", OWNER, str(tmp_path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def test_an_owner_keeps_its_folder_until_it_dies(owner: tuple[subprocess.Popen[str], Path]) -> None:
    process, folder = owner
    (folder / "kept").touch()

    assert not remove_unowned(folder)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert remove_unowned(folder)
    assert not folder.exists()


def test_a_child_does_not_inherit_the_folder(tmp_path: Path) -> None:
    folder = OwnedFolder(tmp_path, "run-")
    (folder.path / "kept").touch()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False):
        folder.release()

        assert remove_unowned(folder.path)


def test_nothing_is_removed_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")

    assert not remove_unowned(tmp_path / "link")
    assert (tmp_path / "real").is_dir()


def test_the_first_scratch_folder_sweeps_what_the_dead_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    owned_folder._sweep_once.cache_clear()
    (tmp_path / "peakmem-work-dead").mkdir()
    (tmp_path / "of-another").mkdir()

    with ScratchFolder() as scratch:
        (scratch.path / "file").touch()
        assert {path.name for path in tmp_path.iterdir()} == {"of-another", scratch.path.name}
    assert [path.name for path in tmp_path.iterdir()] == ["of-another"]
