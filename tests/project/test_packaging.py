from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEASURING = {"allpairspy", "memray", "ncnn", "numpy", "onnx", "onnxsim", "pnnx"}


@pytest.fixture(scope="module")
def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_uv_has_the_pins_of_the_constraints_file(project: dict[str, dict[str, dict[str, object]]]) -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]

    assert project["tool"]["uv"]["constraint-dependencies"] == pins
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.]+", pin) for pin in pins)


def test_what_measuring_depends_on_is_pinned_exactly(project: dict[str, dict[str, list[str]]]) -> None:
    given = [*project["project"]["dependencies"], *project["dependency-groups"]["convert"]]
    exact = {requirement.partition("==")[0] for requirement in given if "==" in requirement}

    assert exact == MEASURING


def test_no_lock_file_is_committed() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()

    assert not [name for name in tracked if name.endswith(".lock")]
