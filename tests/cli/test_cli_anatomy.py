"""`ncnn-peakmem anatomy`, on a small real network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ncnn_peakmem.anatomy.dissection import Dissection
from ncnn_peakmem.cli.anatomy import anatomy
from ncnn_peakmem.runtimes import Runtime

USAGE, COULD_NOT_MEASURE = 2, 3

Command = Callable[..., Result]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(anatomy, [*map(str, arguments), "--cache-dir", str(tmp_path / "cache")])

    return run


def test_param_alone_is_taken_apart(command: Command, small_param: Path) -> None:
    result = command(small_param, "--loops", 2)

    assert result.exit_code == 0, result.output
    assert "weights are read as zeros" in result.stderr
    for text in (
        "small-fp32-t1",
        "heap peak",
        "conv 3x3 s2 16->32 (conv2)",
        "load peak",
        "what would lower it",
        "= VmPeak, as the kernel shows it",
    ):
        assert text in result.stdout


def test_all_layers_are_shown_when_asked(command: Command, tmp_path: Path) -> None:
    layers = [f"ReLU r{number} 1 1 b{number} b{number + 1}" for number in range(9)]
    deep = tmp_path / "deep.param"
    deep.write_text("\n".join(["7767517", "10 10", "Input data 0 1 b0 0=8 1=8 2=4", *layers]) + "\n")

    folded, whole = command(deep, "--loops", 2), command(deep, "--loops", 2, "--all")

    assert "3 more with --all" in folded.stdout
    assert "more with" not in whole.stdout
    assert all(f"ReLU (r{number})" in whole.stdout for number in range(9))


def test_json_holds_everything_and_adds_up(command: Command, small_param: Path) -> None:
    result = command(small_param, "--loops", 2, "--json", "--no-lightmode")

    document = json.loads(result.stdout)
    assert document["case"] == "small-fp32-no_lightmode-t1"
    found = Dissection.from_json(
        json.dumps({key: document[key] for key in ("attribution", "rows", "savings")})
    )
    peak = found.attribution.peak
    assert sum(part.bytes for part in peak.parts) == peak.bytes
    sums = [step for step in document["bridge"] if step["is_sum"]]
    assert sums[0]["bytes"] == peak.bytes
    assert len(found.rows) == 5


def test_threads_are_told_of(command: Command, small_param: Path) -> None:
    result = command(small_param, "--loops", 2, "--threads", 2)

    assert result.exit_code == 0, result.output
    assert "note: split with one thread; the case has 2" in result.stdout


def test_stand_in_is_taken_apart(
    command: Command, small_param: Path, stand_in: Callable[..., Runtime]
) -> None:
    folder = stand_in("first", 1 << 20).module.parents[1]

    result = command(small_param, "--loops", 2, "--ncnn", folder)

    assert result.exit_code == 0, result.output
    assert "1.00 MiB" in next(line for line in result.stdout.splitlines() if line.startswith("? other"))
    assert "1.00 MiB" not in command(small_param, "--loops", 2).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["nowhere.onnx"], USAGE, "nowhere.onnx: no such file"),
        (["small.param", "--use-image-storage"], COULD_NOT_MEASURE, "no option use_image_storage"),
        (["small.param", "--ncnn", "banana"], COULD_NOT_MEASURE, "'banana' is no ncnn runtime"),
        (["torn.param"], COULD_NOT_MEASURE, "torn.param:1"),
    ],
)
def test_mistake_is_told_in_words(
    command: Command, small_param: Path, arguments: list[str], code: int, told: str
) -> None:
    (small_param.parent / "torn.param").write_text("776")

    result = command(*arguments)

    assert result.exit_code == code, result.output
    assert told in result.stderr
    assert result.stdout == ""
