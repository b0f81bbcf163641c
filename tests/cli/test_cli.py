"""`ncnn-peakmem` as a program."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ncnn_peakmem.runtimes import Runtime

USAGE, COULD_NOT_MEASURE = 2, 3


Program = Callable[..., subprocess.CompletedProcess[str]]


def test_param_file_is_measured_with_every_gauge(ncnn_peakmem: Program, small_param: Path) -> None:
    result = ncnn_peakmem("measure", small_param)

    assert result.returncode == 0, result.stderr
    assert "weights are read as zeros" in result.stderr
    for text in ("small-fp32-t1", "heap  ok", "pages  ok", "deployed  ok", "load_model", "floor"):
        assert text in result.stdout


def test_json_is_all_that_standard_output_has(ncnn_peakmem: Program, small_param: Path) -> None:
    result = ncnn_peakmem("measure", small_param, "--json", "--gauge", "heap", "--no-lightmode")

    document = json.loads(result.stdout)
    (case,) = document["runs"][0]["cases"]
    assert case["case"] == "small-fp32-no_lightmode-t1"
    assert list(case["measurement"]["readings"]) == ["heap"]


def test_flags_reach_ncnn(ncnn_peakmem: Program, small_param: Path) -> None:
    def peak(*flags: str) -> int:
        text = ncnn_peakmem("measure", small_param, "--json", "--gauge", "heap", *flags).stdout
        steady = json.loads(text)["runs"][0]["cases"][0]["measurement"]["readings"]["heap"]["phases"][
            "steady"
        ]
        return int(steady["peak"])

    assert peak("--lightmode") < peak("--no-lightmode")
    assert peak("--use-fp16-storage") < peak("--no-use-fp16-storage")


def test_loops_are_at_least_what_was_asked(ncnn_peakmem: Program, small_param: Path) -> None:
    result = ncnn_peakmem("measure", small_param, "--json", "--gauge", "pages", "--loops", 33)

    assert json.loads(result.stdout)["runs"][0]["cases"][0]["measurement"]["readings"]["pages"]["loops"] >= 33


def test_stand_in_is_measured(
    ncnn_peakmem: Program, small_param: Path, stand_in: Callable[..., Runtime]
) -> None:
    folder = stand_in("first", 1 << 20).module.parents[1]

    result = ncnn_peakmem("measure", small_param, "--gauge", "heap", "--ncnn", folder)

    assert result.returncode == 0, result.stderr


def test_network_that_cannot_be_measured(ncnn_peakmem: Program, small_param: Path) -> None:
    result = ncnn_peakmem("measure", small_param, "--gauge", "pages", "--use-image-storage")

    assert result.returncode == COULD_NOT_MEASURE
    assert "unsupported in load_param: this ncnn has no option use_image_storage" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["nowhere.onnx"], USAGE, "nowhere.onnx: no such file"),
        (["mobilenet_v1"], USAGE, "models.yaml"),
        (["small.param", "--input-shape", "3,x"], USAGE, "give positive sizes such as 1,3,224,224"),
        (["small.param", "--gauge", "rss"], USAGE, "'heap', 'pages', 'deployed'"),
        (["small.param", "--threads", "0"], USAGE, "1<=x<=1024"),
        (["small.param", "--ncnn", "banana"], COULD_NOT_MEASURE, "'banana' is no ncnn runtime"),
        (["torn.param"], COULD_NOT_MEASURE, "torn.param:1"),
    ],
)
def test_mistake_is_told_in_words(
    ncnn_peakmem: Program, small_param: Path, arguments: list[str], code: int, told: str
) -> None:
    (small_param.parent / "torn.param").write_text("776")

    result = ncnn_peakmem("measure", *arguments)

    assert result.returncode == code, result.stderr
    assert told in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
