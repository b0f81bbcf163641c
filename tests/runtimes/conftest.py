"""Tiny wheels of stand-in modules, an index that is a folder, and a pip that says what a test has it say."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

MakeWheel = Callable[..., Path]

LOADABLE = "class Net: pass\n"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that is all pip knows: its wheels are the releases there are."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def make_wheel(index: Path) -> MakeWheel:
    """Writes a wheel; all but `name` tells what is in it."""

    def make(
        version: str = "1.0.20240820",
        *,
        name: str = "",
        project: str = "ncnn",
        tag: str = "py3-none-any",
        listed: str = "",
        files: Mapping[str, str] | None = None,
        folder: Path = index,
    ) -> Path:
        wheel = folder / (name or f"{project}-{version}-{tag}.whl")
        record = f"{project}-{version}.dist-info"
        contents = {
            **({"ncnn/ncnn.py": LOADABLE} if files is None else files),
            f"{record}/METADATA": f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n",
            f"{record}/WHEEL": f"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: {tag}\n",
            f"{record}/RECORD": listed,
        }
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, text in contents.items():
                archive.writestr(path, text)
        return wheel

    return make


@pytest.fixture
def pip_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts a program in pip's place that prints what it is told, with an exit status of its own."""

    def say(answer: str, *, complaint: str = "", code: int = 0) -> None:
        package = tmp_path / "stands-in-for-pip" / "pip"
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(
            f"import sys; print({answer!r}); print({complaint!r}, file=sys.stderr); sys.exit({code})"
        )
        monkeypatch.setenv("PYTHONPATH", str(package.parent))

    return say


@pytest.fixture
def offline(pip_says: Callable[..., None]) -> None:
    """No index answers."""
    pip_says("", complaint="ERROR: No matching distribution found for ncnn", code=1)


@pytest.fixture
def builds(tmp_path: Path) -> Callable[[], list[str]]:
    """Tells the folders that the cache `tmp_path / "cache"` has of builds, finished or not."""
    return lambda: sorted(path.name for path in (tmp_path / "cache" / "runtimes").glob("*") if path.is_dir())
