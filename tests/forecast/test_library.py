from __future__ import annotations

import os
from pathlib import Path

import pytest
from packaging.version import Version

from ncnn_peakmem import whole_file
from ncnn_peakmem.forecast import LearnedError, Library
from tests.forecast.conftest import LEARNED_ON, NEWEST, OLDEST, learned

SIBLING = "linux-x86_64-fma.avx2-l2.512k-cores.8"


def test_file_tells_all(tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.store(learned())

    assert library.load(LEARNED_ON, NEWEST) == learned()


def test_file_that_is_none_is_named(tmp_path: Path) -> None:
    path = Library(tmp_path).store(learned())
    path.write_text("{}")

    with pytest.raises(LearnedError, match=str(path)):
        Library(tmp_path).load(LEARNED_ON, NEWEST)


def test_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = Library(tmp_path).store(learned())
    path.unlink()
    os.mkfifo(path)

    with pytest.raises(LearnedError, match=f"{path}: cannot be read: it is no plain file"):
        Library(tmp_path).load(LEARNED_ON, NEWEST)


def test_file_as_large_as_a_disk_is_not_read(tmp_path: Path) -> None:
    path = Library(tmp_path).store(learned())
    with path.open("wb") as file:
        file.truncate(1 << 40)

    with pytest.raises(LearnedError, match=f"{path}: is larger than 16 MiB"):
        Library(tmp_path).load(LEARNED_ON, NEWEST)


def test_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = Library(tmp_path).store(learned())
    path.write_bytes(b"\xff")

    with pytest.raises(LearnedError, match=f"{path}: cannot be read"):
        Library(tmp_path).load(LEARNED_ON, NEWEST)


def test_file_named_otherwise_than_a_release_is_named(tmp_path: Path) -> None:
    library = Library(tmp_path)
    stray = library.store(learned()).with_name("notes.json")
    stray.write_text("{}")

    with pytest.raises(LearnedError, match=f"{stray}: its name is no release"):
        library.nearest(LEARNED_ON, NEWEST)


def test_full_disk_leaves_what_was_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(tmp_path)
    path = library.store(learned())

    def full(path: Path, data: bytes, *, durable: bool) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(whole_file, "_replace", full)
    with pytest.raises(OSError, match=f"{path} was not written: No space left"):
        library.store(learned().without_network("one"))

    assert library.load(LEARNED_ON, NEWEST) == learned()


def test_nearest(tmp_path: Path) -> None:
    library = Library(tmp_path)
    assert library.nearest(LEARNED_ON, NEWEST)[0] is None

    for machine, release in ((LEARNED_ON, OLDEST), (SIBLING, NEWEST), ("linux-aarch64-asimd", NEWEST)):
        library.store(learned(machine, release))

    def chosen(machine: str, release: str) -> tuple[str, str, str]:
        found, note = library.nearest(machine, Version(release))
        assert found is not None
        return found.machine, str(found.release), note

    assert chosen(LEARNED_ON, "1.0.20221128") == (LEARNED_ON, "1.0.20221128", "")
    assert chosen(LEARNED_ON, "1.0.20240102") == (
        LEARNED_ON,
        "1.0.20221128",
        "recipes are known of ncnn 1.0.20221128: they count where there is no rule",
    )
    assert chosen(LEARNED_ON, "1.0.20200101")[1] == "1.0.20221128"
    other = chosen("linux-x86_64-avx512.avx2-l2.2048k-cores.2", "1.0.20221128")
    assert other[0] == LEARNED_ON
    assert LEARNED_ON in other[2]
    assert library.nearest("linux-riscv64-base", NEWEST)[0] is None


def test_what_comes_with_the_package_can_be_used() -> None:
    library = Library()
    for machine in library.machines():
        for release in library.releases(machine):
            found = library.load(machine, release)
            assert (found.machine, found.release) == (machine, release)
            assert library.path(machine, release).stat().st_size < 200_000
