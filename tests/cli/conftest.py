from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ncnn_peakmem import runtimes
from ncnn_peakmem.cli import figure
from ncnn_peakmem.runtimes import Releases
from tests.cli.desk import Desk, Desks, Makes
from tests.models_file import models_file

Program = Callable[..., subprocess.CompletedProcess[str]]

MODELS = models_file(
    {"none": "{networks: [small], axes: []}", "both": "{networks: [small], axes: [lightmode]}"},
    loops=(2, 20),
)


@pytest.fixture
def ncnn_peakmem(tmp_path: Path) -> Program:
    """Runs `ncnn-peakmem` with some arguments in a folder of its own."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from ncnn_peakmem.cli import main; main()"]
        return subprocess.run(
            [*command, *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def project(tmp_path: Path, small_param: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "models.yaml").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def desk(project: Path, monkeypatch: pytest.MonkeyPatch) -> Desks:
    def lay(makes: Mapping[str, Makes]) -> Desk:
        made = Desk(project, {f"1.0.{name}": value for name, value in makes.items()})
        monkeypatch.setattr(runtimes, "resolve", made.resolve)
        monkeypatch.setattr(runtimes, "from_release", made.resolve)
        monkeypatch.setattr(runtimes, "releases", lambda *_: Releases(tuple(made.makes)))
        monkeypatch.setattr(figure, "read_gauges", made.read_gauges)
        return made

    return lay
