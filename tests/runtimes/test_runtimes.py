from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ncnn_peakmem import runtimes
from ncnn_peakmem.runtimes import Runtime, RuntimeNotFound


def test_installed_is_found_without_importing_it() -> None:
    script = (
        "import sys; from ncnn_peakmem import runtimes;"
        "print(runtimes.installed().module, 'ncnn' in sys.modules)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout

    path, imported = printed.split()
    assert path.endswith(".so")
    assert imported == "False"


def test_directory_with_a_stand_in_tells_its_own_version(stand_in: Callable[..., Runtime]) -> None:
    made = stand_in()

    found = runtimes.resolve(str(made.module.parents[1]), Path("unused"))

    assert found == made
    assert found.version == runtimes.installed().version


def test_directory_that_an_installer_left_tells_the_recorded_version(tmp_path: Path) -> None:
    (tmp_path / "ncnn").mkdir()
    (tmp_path / "ncnn" / "ncnn.py").write_text("raise RuntimeError('nobody should load this')")
    (tmp_path / "ncnn-1.0.20991231.dist-info").mkdir()
    (tmp_path / "ncnn-1.0.20991231.dist-info" / "METADATA").write_text("Name: ncnn\nVersion: 1.0.20991231\n")

    assert runtimes.from_directory(tmp_path).version == "1.0.20991231"


def test_extension_of_another_python_is_told(tmp_path: Path) -> None:
    (tmp_path / "ncnn").mkdir()
    (tmp_path / "ncnn" / "ncnn.cpython-36m-x86_64-linux-gnu.so").touch()

    with pytest.raises(RuntimeNotFound, match=r"can load \(it has ncnn\.cpython-36m"):
        runtimes.from_directory(tmp_path)


def test_module_that_crashes_when_loaded_is_told(tmp_path: Path) -> None:
    (tmp_path / "ncnn").mkdir()
    (tmp_path / "ncnn" / "ncnn.py").write_text("import os; os.abort()")

    with pytest.raises(RuntimeNotFound, match="exit status -6"):
        runtimes.from_directory(tmp_path)


def test_build_without_an_orderly_version_is_told(tmp_path: Path) -> None:
    (tmp_path / "ncnn").mkdir()
    (tmp_path / "ncnn" / "ncnn.py").write_text("__version__ = '1.0.git-abc'")

    with pytest.raises(RuntimeNotFound, match=r"calls itself version '1\.0\.git-abc'"):
        runtimes.from_directory(tmp_path)


def test_module_that_hangs_when_loaded_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "_ASK_TIMEOUT_SECONDS", 0.2)
    (tmp_path / "ncnn").mkdir()
    (tmp_path / "ncnn" / "ncnn.py").write_text("while True: pass")

    with pytest.raises(RuntimeNotFound, match=r"still not done after 0\.2 s"):
        runtimes.from_directory(tmp_path)


@pytest.mark.parametrize("name", ["banana", "2026-05-26", "1.0.x"])
def test_name_that_is_no_runtime_is_answered_with_what_is(tmp_path: Path, name: str) -> None:
    with pytest.raises(RuntimeNotFound, match=r"give `installed`, a release"):
        runtimes.resolve(name, tmp_path)


def test_wheel_of_another_project_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "six-1.16.0-py2.py3-none-any.whl"
    wheel.touch()

    with pytest.raises(RuntimeNotFound, match="a wheel of six, not of ncnn"):
        runtimes.resolve(str(wheel), tmp_path)


def test_release_that_cannot_be_had_is_named_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")

    with pytest.raises(RuntimeNotFound, match=r"ncnn==1\.0\.20260526 could not be installed"):
        runtimes.resolve("20260526", tmp_path)

    left = [path.name for path in (tmp_path / "runtimes").iterdir() if path.is_dir()]
    assert left == []


@pytest.mark.network
def test_release_is_installed_once_beside_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    first = runtimes.resolve("20260526", tmp_path, said.append)
    # What is there needs no index any more.
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    second = runtimes.resolve("1.0.20260526", tmp_path, said.append)

    assert first == second
    assert first.version == "1.0.20260526"
    assert tmp_path in first.module.parents
    assert said == ["installing ncnn==1.0.20260526 beside the environment"]
    assert runtimes.installed().module != first.module


@pytest.mark.network
def test_two_processes_install_one_release_once(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from ncnn_peakmem import runtimes;"
        "runtimes.resolve('20260526', Path(sys.argv[1]), lambda text: print(text, flush=True))"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, os.fspath(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300)[0] for process in started]

    assert [process.returncode for process in started] == [0, 0]
    assert "".join(said).count("installing") == 1
