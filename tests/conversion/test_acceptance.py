from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ncnn_peakmem.conversion import ConversionError, Stage, pnnx
from ncnn_peakmem.conversion.acceptance import accept, input_blobs
from ncnn_peakmem.conversion.bench import Bench
from ncnn_peakmem.network import InputBlob, Shape

if TYPE_CHECKING:
    from tests.conversion.conftest import Converted


@pytest.fixture
def bench(tmp_path: Path, converted: Converted) -> Bench:
    """A bench on which pnnx has just converted the small network."""
    shutil.copy(converted.model.param, tmp_path)
    shutil.copy(converted.model.param.with_name("net.bin"), tmp_path)
    (tmp_path / "pnnx.log").write_text("$ pnnx\n############# pass_ncnn\n")
    return Bench("small", tmp_path, tmp_path / "logs", 60, lambda _: None)


def accept_all(bench: Bench) -> None:
    accept(bench, bench.folder / "pnnx.log", bench.folder / "net.param", bench.folder / "net.bin")


def test_what_ncnn_loads_is_accepted(bench: Bench) -> None:
    accept_all(bench)


def replace(name: str, old: str, new: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return change


REFUSED: dict[str, tuple[Callable[[Path], object], Stage, str]] = {
    "no param": (
        lambda folder: (folder / "net.param").unlink(),
        Stage.CONVERT,
        "pnnx wrote no net.param",
    ),
    "no bin": (lambda folder: (folder / "net.bin").unlink(), Stage.CONVERT, "pnnx wrote no net.bin"),
    "empty param": (
        lambda folder: os.truncate(folder / "net.param", 0),
        Stage.CONVERT,
        "pnnx wrote no net.param",
    ),
    "fatal": (
        replace("pnnx.log", "pass_ncnn\n", "pass_ncnn\n  FATAL ERROR no external data\n" + "fine\n" * 100),
        Stage.CONVERT,
        "pnnx exited 0 but said: FATAL ERROR no external data",
    ),
    "half a param": (
        replace("net.param", " 1 1 in0 out0 ", " 1 1 in0"),
        Stage.CHECK,
        "net.param:4: ",
    ),
    "unknown layers": (
        replace("net.param", "Convolution ", "pnnx.Expression "),
        Stage.CHECK,
        "operator pnnx.Expression has no ncnn layer",
    ),
    "half a bin": (
        lambda folder: os.truncate(folder / "net.bin", 216),
        Stage.CHECK,
        "ncnn's load_model returned -1",
    ),
    "empty bin": (
        lambda folder: os.truncate(folder / "net.bin", 0),
        Stage.CHECK,
        "ncnn's load_model returned -1",
    ),
    "absurd size": (
        replace("net.param", " 6=108 ", " 6=2000000000 "),
        Stage.CHECK,
        "ncnn's load_",
    ),
}


@pytest.mark.parametrize("defect", REFUSED)
def test_what_pnnx_must_not_get_away_with(defect: str, bench: Bench) -> None:
    spoil, stage, words = REFUSED[defect]
    spoil(bench.folder)
    with pytest.raises(ConversionError) as caught:
        accept_all(bench)
    assert caught.value.stage is stage
    assert words in caught.value.cause


@pytest.mark.parametrize(
    ("batch_axis", "shape", "blob_shape"),
    [
        (0, (1, 3, 8, 9), (3, 8, 9)),
        (1, (7, 1, 5), (7, 5)),
        (None, (1, 7, 10), (1, 7, 10)),
        (None, (10,), (10,)),
        (0, (1, 3, 4, 8, 9), (3, 4, 8, 9)),
    ],
)
def test_an_input_blob_has_the_shape_without_its_batch_axis(
    batch_axis: int | None, shape: Shape, blob_shape: Shape, bench: Bench
) -> None:
    ends = pnnx.Ends({"in0": batch_axis}, ("out0",))
    assert input_blobs(bench, ends, [shape]) == (InputBlob("in0", blob_shape),)


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        (pnnx.Ends({"in0": 1}, ("out0",)), r"\[1, 3, 8, 8\] has a batch above 1"),
        (pnnx.Ends({}, ("out0",)), "does not tell the inputs and outputs"),
        (pnnx.Ends({"in0": 0}, ()), "does not tell the inputs and outputs"),
        (pnnx.Ends({"in0": 0, "in1": 0}, ("out0",)), "does not tell the inputs and outputs"),
    ],
)
def test_ends_that_do_not_fit_the_model_are_refused(ends: pnnx.Ends, words: str, bench: Bench) -> None:
    with pytest.raises(ConversionError, match=words):
        input_blobs(bench, ends, [(1, 3, 8, 8)])


def test_a_tensor_that_ncnn_cannot_hold_is_refused(bench: Bench) -> None:
    with pytest.raises(ConversionError, match=r"no tensor of shape \[1, 3, 4, 8, 8\]"):
        input_blobs(bench, pnnx.Ends({"in0": None}, ("out0",)), [(1, 3, 4, 8, 8)])
