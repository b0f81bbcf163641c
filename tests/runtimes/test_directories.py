"""Builds that lie in a folder, and the one that is installed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from ncnn_peakmem import runtimes
from ncnn_peakmem.runtimes import Runtime, RuntimeNotFound

NET = "class Net: pass\n"
LOAD_TIMEOUT = "ncnn_peakmem.runtimes.extension._LOAD_TIMEOUT_SECONDS"


@pytest.fixture
def lay(tmp_path: Path) -> Callable[..., Path]:
    """Lays the package ncnn with a module, and the records of installers, into a folder."""

    def write(source: str, *recorded: str) -> Path:
        folder = tmp_path / "build"
        (folder / "ncnn").mkdir(parents=True)
        (folder / "ncnn" / "ncnn.py").write_text(source)
        for version in recorded:
            record = folder / f"ncnn-{version}.dist-info"
            record.mkdir()
            (record / "METADATA").write_text(f"Name: ncnn\nVersion: {version}\n")
        return folder

    return write


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


def test_installed_is_not_loaded_to_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    found = runtimes.installed()

    assert (found.version, found.origin) == (metadata.version("ncnn"), "")


def test_folder_named_ncnn_is_not_an_installed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", none)

    with pytest.raises(RuntimeNotFound, match="ncnn is not installed here"):
        runtimes.installed()


def test_directory_with_a_stand_in_tells_its_own_version(stand_in: Callable[..., Runtime]) -> None:
    made = stand_in()

    found = runtimes.resolve(str(made.module.parents[1]), Path("unused"))

    assert found == made
    assert found.version == runtimes.installed().version


def test_directory_is_known_by_the_name_that_the_user_gave(
    lay: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = lay(NET + "__version__ = '1.0.20990101'")
    monkeypatch.chdir(folder.parent)

    found = runtimes.resolve("build", Path("unused"))

    assert found.title == "1.0.20990101 (build)"
    assert found.module == folder / "ncnn" / "ncnn.py"


def test_package_folder_itself_may_be_named(lay: Callable[..., Path]) -> None:
    folder = lay(NET, "1.0.20990101")

    assert runtimes.from_directory(folder / "ncnn") == runtimes.from_directory(folder)


def test_directory_that_an_installer_left_tells_the_recorded_version(lay: Callable[..., Path]) -> None:
    folder = lay(NET + "__version__ = '1.0.20000101'", "1.0.20991231")

    assert runtimes.from_directory(folder).version == "1.0.20991231"


def test_module_is_asked_where_two_installers_left_records(lay: Callable[..., Path]) -> None:
    folder = lay(NET + "__version__ = '1.0.20990202'", "1.0.20991231", "1.0.20980101")

    assert runtimes.from_directory(folder).version == "1.0.20990202"


def test_module_that_talks_while_it_is_loaded_is_understood(lay: Callable[..., Path]) -> None:
    folder = lay(NET + "print('using', 2, 'threads')\n__version__ = '1.0.20990202'")

    assert runtimes.from_directory(folder).version == "1.0.20990202"


def test_module_is_loaded_apart_from_the_users_environment(
    lay: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    folder = lay("import only_here\n" + NET, "1.0.20991231")

    with pytest.raises(RuntimeNotFound, match="No module named 'only_here'"):
        runtimes.from_directory(folder)


def test_extension_of_another_python_is_told(tmp_path: Path) -> None:
    (tmp_path / "ncnn").mkdir()
    (tmp_path / "ncnn" / "ncnn.cpython-36m-x86_64-linux-gnu.so").touch()

    with pytest.raises(RuntimeNotFound, match=r"can load \(it has ncnn\.cpython-36m") as told:
        runtimes.from_directory(tmp_path)
    assert str(told.value).startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import os; os.abort()", "could not be loaded as ncnn: SIGABRT"),
        ("raise RuntimeError('no luck')", "could not be loaded as ncnn: RuntimeError: no luck"),
        ("import sys; sys.exit(0)", "could not be loaded as ncnn: exit status 0"),
        ("class Mat: pass", "has no Net: this is not ncnn"),
        (NET + "__version__ = '1.0.git-abc'", r"calls itself version '1\.0\.git-abc'"),
        (NET, "calls itself version ''"),
    ],
)
def test_module_that_is_no_sound_ncnn_is_told(lay: Callable[..., Path], source: str, reason: str) -> None:
    folder = lay(source)

    with pytest.raises(RuntimeNotFound, match=rf"^{folder}: ncnn\.py .*{reason}"):
        runtimes.from_directory(folder)


def test_recorded_version_does_not_hide_that_the_module_cannot_be_loaded(
    lay: Callable[..., Path],
) -> None:
    folder = lay("raise RuntimeError('no luck')", "1.0.20991231")

    with pytest.raises(RuntimeNotFound, match="RuntimeError: no luck"):
        runtimes.from_directory(folder)


def test_module_that_hangs_when_loaded_is_told(
    lay: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LOAD_TIMEOUT, 0.2)
    folder = lay("while True: pass")

    with pytest.raises(RuntimeNotFound, match=r"still not done after 0\.2 s"):
        runtimes.from_directory(folder)
