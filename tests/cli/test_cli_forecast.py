"""`ncnn-peakmem forecast`, as a program."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ncnn_peakmem.forecast import Forecast

REGRESSED, USAGE, COULD_NOT_MEASURE = 1, 2, 3

PROGRAM = """\
import sys
from ncnn_peakmem.cli.forecast import forecast
try:
    forecast()
finally:
    assert not [name for name in sys.modules if name == "ncnn" or name.startswith("ncnn.")]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "recipes"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command, which is never to load ncnn into its own process."""
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_tells_phases_parts_and_grounds(small_param: Path, folder: Path) -> None:
    result = run(small_param, "--recipes", folder, "--release", "20221128")

    assert result.returncode == 0, result.stderr
    for text in ("on ncnn 1.0.20221128", "load_model", "steady", "weights", "idle pool", "0 layers learned"):
        assert text in result.stdout
    assert "nothing has been learned" in result.stdout


def test_json_has_the_whole_forecast(small_param: Path) -> None:
    result = run(small_param, "--json", "--no-lightmode")

    document = json.loads(result.stdout)
    told = Forecast.from_json(json.dumps(document["forecast"]))
    assert document["case"] == "small-fp32-no_lightmode-t1"
    assert document["peak"] == told.peak.bytes == sum(part.bytes for part in told.peak.parts)


def test_flags_count(small_param: Path) -> None:
    def peak(*flags: str) -> int:
        return int(json.loads(run(small_param, "--json", *flags).stdout)["peak"])

    assert peak("--lightmode") < peak("--no-lightmode")
    assert peak("--use-fp16-storage") < peak("--no-use-fp16-storage")


def test_limit(small_param: Path) -> None:
    above = run(small_param, "--limit", "100KiB")

    assert above.returncode == REGRESSED
    assert "above the limit 100.0 KiB" in above.stderr
    assert run(small_param, "--limit", "1GiB").returncode == 0


def test_learning_is_kept_and_used(small_param: Path, folder: Path) -> None:
    result = run(small_param, "--recipes", folder, "--learn")

    assert result.returncode == 0, result.stderr
    assert "are now in" in result.stderr
    assert "0 computed" in result.stdout
    assert "0 computed" in run(small_param, "--recipes", folder).stdout


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--release", "soon"], "no release such as"),
        (["--limit", "much"], "whole bytes such as"),
        (["--learn"], "--learn needs --recipes"),
        (["--learn", "--recipes", "x", "--release", "20240820"], "leave --release out"),
    ],
)
def test_usage(small_param: Path, arguments: list[str], text: str) -> None:
    result = run(small_param, *arguments)

    assert result.returncode == USAGE
    assert text in " ".join(result.stderr.split())


def test_layer_whose_shapes_cannot_be_told(tmp_path: Path) -> None:
    path = tmp_path / "odd.param"
    path.write_text("7767517\n2 2\nInput data 0 1 data 0=8 1=8 2=3\nMystery odd 1 1 data out\n")

    result = run(path)

    assert result.returncode == COULD_NOT_MEASURE
    assert "layer 'odd' of type Mystery" in result.stderr
