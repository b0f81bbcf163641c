"""The names of runtimes, and releases that are installed beside the environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.version import Version

from ncnn_peakmem import runtimes
from ncnn_peakmem.runtimes import RuntimeNotFound

MakeWheel = Callable[..., Path]
Builds = Callable[[], list[str]]
PipSays = Callable[..., None]
TAG = sys.implementation.cache_tag


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.mark.parametrize("name", ["banana", "2026-05-26", "1.0.x", "", " "])
def test_name_that_is_no_runtime_is_answered_with_what_is(cache: Path, name: str) -> None:
    with pytest.raises(RuntimeNotFound, match=r"give `installed`, `latest`, `previous`, a release"):
        runtimes.resolve(name, cache)


def test_path_that_is_not_there_is_told(cache: Path) -> None:
    with pytest.raises(RuntimeNotFound, match=r"^build/python: there is no such directory in /"):
        runtimes.resolve("build/python", cache)


def test_path_of_one_part_that_is_not_there_is_told(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    for name in ("./nowhere", "nowhere/", "./20240820"):
        with pytest.raises(RuntimeNotFound, match=rf": there is no such directory in {tmp_path}$"):
            runtimes.resolve(name, cache)


@pytest.mark.parametrize("name", ["20240820", "1.0.20240820"])
def test_folder_called_like_a_release_is_meant_only_by_its_path(
    cache: Path, tmp_path: Path, make_wheel: MakeWheel, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    make_wheel("1.0.20240820")
    folder = tmp_path / name / "ncnn"
    folder.mkdir(parents=True)
    (folder / "ncnn.py").write_text("class Net: pass\n__version__ = '1.0.20990101'")
    monkeypatch.chdir(tmp_path)

    release, mine = runtimes.resolve(name, cache), runtimes.resolve(f"./{name}", cache)

    assert (release.version, release.origin) == ("1.0.20240820", "")
    assert mine.version == "1.0.20990101"
    # Whoever is handed the origin finds the same build.
    assert runtimes.resolve(mine.origin, cache) == mine


@pytest.mark.parametrize(
    ("name", "before", "version"),
    [
        ("latest", None, "1.0.20241226"),
        ("previous", None, "1.0.20240820"),
        ("previous", "1.0.20261123", "1.0.20241226"),
        ("previous", "1.0.20240820", "1.0.20221128"),
        ("20240820", None, "1.0.20240820"),
    ],
)
def test_names_that_stand_for_releases(
    cache: Path, pip_says: PipSays, name: str, before: str | None, version: str
) -> None:
    releases = ("1.0.20241226", "1.0.20240820", "1.0.20221128")
    pip_says(json.dumps({"versions": releases}))
    for release in releases:
        package = cache / "runtimes" / f"release-{release}-{TAG}" / "ncnn"
        package.mkdir(parents=True)
        (package / "ncnn.py").write_text(f"class Net: pass\n__version__ = {release!r}")

    found = runtimes.resolve(name, cache, before=Version(before) if before else None)

    assert (found.version, found.title) == (version, version)
    assert cache / "runtimes" / f"release-{version}-{TAG}" / "ncnn" / "ncnn.py" == found.module


def test_release_in_the_cache_is_had_without_asking_anybody(
    cache: Path, make_wheel: MakeWheel, pip_says: PipSays
) -> None:
    make_wheel("1.0.20240820")
    said: list[str] = []
    first = runtimes.resolve("1.0.20240820", cache, said.append)
    pip_says("", complaint="nobody should ask", code=1)

    assert runtimes.resolve("20240820", cache, said.append) == first
    assert said == ["installing ncnn==1.0.20240820 beside the environment"]


def test_release_that_cannot_be_had_is_named_and_leaves_nothing(
    cache: Path, make_wheel: MakeWheel, builds: Builds
) -> None:
    make_wheel("1.0.20240820")
    runtimes.resolve("20240820", cache)

    with pytest.raises(RuntimeNotFound) as told:
        runtimes.resolve("20260526", cache)

    assert str(told.value) == (
        "ncnn 1.0.20260526: it is not in the cache, and pip could not get it: "
        "No matching distribution found for ncnn==1.0.20260526. "
        "`pip index versions ncnn` lists the releases; the cache has 1.0.20240820"
    )
    assert builds() == [f"release-1.0.20240820-{TAG}"]


def test_pip_that_only_crashes_is_quoted(cache: Path, pip_says: PipSays) -> None:
    pip_says("", complaint="ERROR: Exception:\nTraceback:\nOSError: the disk is on fire", code=2)

    with pytest.raises(RuntimeNotFound, match="could not get it: OSError: the disk is on fire"):
        runtimes.resolve("20260526", cache)


def test_release_that_cannot_be_loaded_is_told_and_leaves_nothing(
    cache: Path, make_wheel: MakeWheel, builds: Builds
) -> None:
    make_wheel("1.0.20240820", files={"ncnn/ncnn.py": "import os; os.abort()"})

    with pytest.raises(RuntimeNotFound, match=r"^ncnn 1\.0\.20240820: ncnn\.py could not be .* SIGABRT"):
        runtimes.resolve("20240820", cache)
    assert builds() == []


def test_latest_of_an_old_list_says_so(cache: Path, make_wheel: MakeWheel, pip_says: PipSays) -> None:
    make_wheel("1.0.20240820")
    runtimes.resolve("latest", cache)
    pip_says("", complaint="ERROR: no network today", code=1)
    said: list[str] = []

    assert runtimes.resolve("latest", cache, said.append).version == "1.0.20240820"
    assert said[1:] == [
        "the package index could not be asked (no network today): these are the releases known from before"
    ]


def test_that_the_list_is_old_is_not_told_in_passing_to_who_takes_notes(
    cache: Path, make_wheel: MakeWheel, pip_says: PipSays
) -> None:
    make_wheel("1.0.20240820")
    runtimes.resolve("latest", cache)
    pip_says("", complaint="ERROR: no network today", code=1)
    passing: list[str] = []
    lasting: list[str] = []

    runtimes.resolve("latest", cache, passing.append, note=lasting.append)

    assert [text.partition(" (")[0] for text in lasting] == ["the package index could not be asked"]
    assert not set(lasting) & set(passing)


def test_damaged_build_in_the_cache_is_made_again(cache: Path, make_wheel: MakeWheel) -> None:
    make_wheel("1.0.20240820")
    found = runtimes.resolve("20240820", cache)
    found.module.unlink()
    said: list[str] = []

    assert runtimes.resolve("20240820", cache, said.append) == found
    assert found.module.exists()
    assert "is damaged (there is no ncnn extension" in said[0]


def test_what_a_killed_process_left_is_in_nobodys_way(
    cache: Path, make_wheel: MakeWheel, builds: Builds
) -> None:
    make_wheel("1.0.20240820")
    left = cache / "runtimes" / f".release-1.0.20240820-{TAG}.filling" / "ncnn"
    left.mkdir(parents=True)
    (left / "ncnn.py").write_text("half a module")

    found = runtimes.resolve("20240820", cache)

    assert found.module.read_text() != "half a module"
    assert builds() == [f"release-1.0.20240820-{TAG}"]


def test_cache_that_cannot_be_written_is_told(tmp_path: Path, make_wheel: MakeWheel) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(RuntimeNotFound, match=r"could not be installed into .*: Not a directory: see that"):
        runtimes.resolve("20240820", tmp_path / "file")


def test_users_own_settings_of_pip_do_not_stand_in_the_way(
    cache: Path, tmp_path: Path, make_wheel: MakeWheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel("1.0.20240820")
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("ncnn==1.0.20261020\n")
    monkeypatch.setenv("PIP_CONSTRAINT", str(constraints))
    monkeypatch.setenv("PIP_USER", "1")

    assert runtimes.resolve("20240820", cache).version == "1.0.20240820"


def test_two_processes_install_one_release_once(cache: Path, make_wheel: MakeWheel, builds: Builds) -> None:
    make_wheel("1.0.20240820")
    script = (
        "import sys; from pathlib import Path; from ncnn_peakmem import runtimes;"
        "runtimes.resolve('20240820', Path(sys.argv[1]), lambda text: print(text, flush=True))"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", script, os.fspath(cache)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300)[0] for process in started]

    assert [process.returncode for process in started] == [0, 0]
    assert "".join(said).splitlines() == ["installing ncnn==1.0.20240820 beside the environment"]
    assert builds() == [f"release-1.0.20240820-{TAG}"]


@pytest.mark.network
def test_published_release_is_installed_beside_the_environment(cache: Path) -> None:
    before = runtimes.installed()

    found = runtimes.resolve("20260526", cache)

    assert found.version == "1.0.20260526"
    assert found.module.suffix == ".so"
    assert cache in found.module.parents
    assert (runtimes.installed(), runtimes.installed().digest) == (before, before.digest)
