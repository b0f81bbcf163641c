"""The quantizer and the measure of its work as processes, as a bench runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ncnn_peakmem.conversion import fidelity
from ncnn_peakmem.conversion.quantization import MODULE, Report, arguments
from ncnn_peakmem.conversion.quantization.command import input_arguments, input_blob
from ncnn_peakmem.network import Calibration, CalibrationMethod, InputBlob

Blobs = tuple[InputBlob, ...]


def run(module: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a module of ours."""
    command = [sys.executable, "-m", module, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_network_is_quantized_and_judged(
    write_network: Callable[..., tuple[Path, Path]], blobs: Blobs, tmp_path: Path
) -> None:
    files, out = write_network(), (tmp_path / "int8.param", tmp_path / "int8.bin")
    calibration = Calibration(CalibrationMethod.MIN_MAX, inputs=64)
    paths = {"report": tmp_path / "report.json", "out_table": tmp_path / "net.table"}

    done = run(MODULE, *arguments(*files, blobs, calibration, *out, gemm=False, **paths))
    judged = run(fidelity.MODULE, *files, *out, *input_arguments(blobs), "--inputs", 4)

    assert done.stdout == "5 layers are int8, 2 of them hand on integers; 0 stay float\n"
    assert Report.from_json(paths["report"].read_text()).inputs == 64
    assert "wide_param_0 " in paths["out_table"].read_text()
    (found,) = json.loads(judged.stdout)
    assert (found["output"], found["inputs"]) == ("out", 4)
    assert 0.99 < found["worst"] <= found["cosine"] < 1
    assert found["centred"] > 0.9


def test_what_cannot_be_used_is_refused_in_words(
    write_network: Callable[..., tuple[Path, Path]], blobs: Blobs, tmp_path: Path
) -> None:
    param, weights = write_network()
    weights.write_bytes(weights.read_bytes()[:-8])
    words = arguments(param, weights, blobs, Calibration(), tmp_path / "a", tmp_path / "b", gemm=False)

    done = run(MODULE, *words)

    assert done.returncode == os.EX_DATAERR
    assert done.stderr.count("\n") == 1
    assert "layer 'fc'" in done.stderr


def test_an_input_is_read_as_it_is_written() -> None:
    blob = InputBlob("a=b", (3, 4, 5))

    (_, text) = input_arguments([blob])

    assert input_blob(text) == blob


@pytest.mark.parametrize("text", ["in0", "=3", "in0=", "in0=3,x", "in0=0,3"])
def test_what_is_no_input_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        input_blob(text)


def test_the_same_is_1_and_the_opposite_is_not() -> None:
    rows = np.random.default_rng(0).normal(5, 1, (4, 10))

    same = fidelity.fidelity("out", rows, rows)
    mirrored = fidelity.fidelity("out", rows, 2 * rows.mean(axis=0) - rows)

    assert (same.cosine, same.worst, same.centred) == pytest.approx((1, 1, 1))
    assert mirrored.cosine > 0.9
    assert mirrored.centred == pytest.approx(-1)


def test_the_worst_input_is_told() -> None:
    rows = np.eye(3)

    found = fidelity.fidelity("out", rows, np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0.0]]))

    assert (found.cosine, found.worst) == pytest.approx((2 / 3, 0))


@pytest.mark.parametrize("broken", [np.nan, np.inf, 0.0])
def test_what_is_no_answer_is_no_likeness(broken: float) -> None:
    rows = np.ones((2, 3))

    found = fidelity.fidelity("out", rows, np.full((2, 3), broken))

    assert (found.cosine, found.centred) == (0, None)


class Listing:
    """A network that lists what it finds in an input: each time another number of things."""

    runs = 0

    def __init__(self, *_: Path) -> None:
        pass

    def blobs(
        self, _inputs: object, wanted: tuple[str, ...]
    ) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
        Listing.runs += 1
        for name in wanted:
            yield name, np.ones(3 if name == "score" else Listing.runs, np.float32)


def test_outputs_of_no_fixed_size_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    param = tmp_path / "net.param"
    param.write_text(
        "7767517\n5 7\nInput data 0 1 data\nSplit s 1 3 data a b c\nReLU score 1 1 a score\n"
        "DetectionOutput found 1 1 b found\nCrop boxes 1 1 c boxes\n"
    )
    monkeypatch.setattr(fidelity, "Runner", Listing)

    found = fidelity.compare((param, param), (param, param), [InputBlob("data", (3,))], 3)

    assert [each.output for each in found] == ["score"]
    assert found[0].cosine == pytest.approx(1)


def test_nothing_at_all_is_the_same_as_nothing() -> None:
    assert fidelity.fidelity("out", np.zeros((2, 3)), np.zeros((2, 3))).cosine == 1
