"""A file is as it was or as it becomes, whatever stops its writer."""

from __future__ import annotations

import errno
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from ncnn_peakmem import whole_file

ROOM = 1 << 16
ADVICE = "see that there is room and that you may write there"


class Stopped(FileIO):
    """Stopped by Ctrl-C while it writes."""

    def write(self, data: Any) -> int:
        super().write(bytes(data)[:5])
        raise KeyboardInterrupt


@contextmanager
def little_room() -> Iterator[None]:
    """No file can have more than `ROOM` bytes: what is written first goes to the disk all the same."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture
def linked(tmp_path: Path) -> tuple[Path, Path]:
    """A link in one folder to a file in another."""
    (tmp_path / "real").mkdir()
    (tmp_path / "links").mkdir()
    file, link = tmp_path / "real" / "report", tmp_path / "links" / "report"
    file.write_bytes(b"of before")
    link.symlink_to(file)
    return link, file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


@pytest.mark.parametrize("durable", [True, False])
def test_it_is_written(tmp_path: Path, durable: bool) -> None:
    for data in (b"one", b"two"):
        whole_file.write(tmp_path / "report", data, durable=durable)

        assert (tmp_path / "report").read_bytes() == data
    assert names(tmp_path) == ["report"]


def test_a_link_stays_one(linked: tuple[Path, Path]) -> None:
    link, file = linked
    whole_file.write(link, b"new")

    assert link.is_symlink()
    assert file.read_bytes() == b"new"


def test_a_link_to_nothing_yet_is_filled(linked: tuple[Path, Path]) -> None:
    link, file = linked
    file.unlink()
    whole_file.write(link, b"new")

    assert link.is_symlink()
    assert file.read_bytes() == b"new"


@pytest.mark.parametrize("through_link", [True, False])
def test_a_file_that_does_not_fit_leaves_the_one_of_before(
    linked: tuple[Path, Path], through_link: bool
) -> None:
    link, file = linked
    with little_room(), pytest.raises(OSError, match="report was not written: File too large"):
        whole_file.write(link if through_link else file, bytes(2 * ROOM))

    assert file.read_bytes() == b"of before"
    assert names(file.parent) == names(link.parent) == ["report"]


def test_what_a_link_stands_open_for_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "out"
    with file.open("wb") as stream:
        whole_file.write(Path(f"/dev/fd/{stream.fileno()}"), b"told")
        inode = os.fstat(stream.fileno()).st_ino

    assert file.read_bytes() == b"told"
    assert file.stat().st_ino == inode


def test_a_pipe_is_written_to() -> None:
    reader, writer = os.pipe()
    try:
        whole_file.write(Path(f"/proc/self/fd/{writer}"), b"told")
        assert os.read(reader, 9) == b"told"
    finally:
        os.close(reader)
        os.close(writer)


def test_it_is_appended(tmp_path: Path) -> None:
    for data in (b"one", b"two"):
        whole_file.append(tmp_path / "summary", data)

    assert (tmp_path / "summary").read_bytes() == b"onetwo"


@pytest.mark.parametrize("before", [None, b"", b"of before"])
def test_what_cannot_be_appended_as_a_whole_is_not_at_all(tmp_path: Path, before: bytes | None) -> None:
    file = tmp_path / "summary"
    if before is not None:
        file.write_bytes(before)
    with little_room(), pytest.raises(OSError, match="summary was not written: File too large"):
        whole_file.append(file, bytes(2 * ROOM))

    assert (file.read_bytes() if file.exists() else None) == before


@pytest.mark.parametrize("before", [None, b"of before"])
def test_what_is_stopped_while_it_appends_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bytes | None
) -> None:
    file = tmp_path / "summary"
    if before is not None:
        file.write_bytes(before)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", lambda path, mode: Stopped(path, mode))
        with pytest.raises(KeyboardInterrupt):
            whole_file.append(file, b"first and rest")

    assert (file.read_bytes() if file.exists() else None) == before


def test_a_link_outlives_what_could_not_be_appended_through_it(linked: tuple[Path, Path]) -> None:
    link, file = linked
    file.unlink()
    with little_room(), pytest.raises(OSError, match="File too large"):
        whole_file.append(link, bytes(2 * ROOM))

    assert link.is_symlink()
    assert not file.exists()


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM], ids=errno.errorcode.get
)
def test_a_disk_or_folder_is_told_with_what_to_do(number: int) -> None:
    error = OSError(number, os.strerror(number), "/place/file")

    assert whole_file.is_for_people(error)
    assert whole_file.in_words(error) == f"/place/file: {os.strerror(number)}: {ADVICE}"
    assert str(whole_file.not_written(Path("x"), error)).endswith(ADVICE)


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EMFILE, errno.ENOMEM], ids=errno.errorcode.get)
def test_room_is_no_advice_for_anything_else(number: int) -> None:
    error = OSError(number, os.strerror(number), "/place/file")

    assert not whole_file.is_for_people(error)
    assert whole_file.in_words(error) == f"/place/file: {os.strerror(number)}"
    assert str(whole_file.not_written(Path("x"), error)) == f"x was not written: {os.strerror(number)}"


def test_words_of_ours_are_told_as_they_are() -> None:
    error = OSError("there is no home folder")

    assert whole_file.is_for_people(error)
    assert whole_file.in_words(error) == "there is no home folder"
