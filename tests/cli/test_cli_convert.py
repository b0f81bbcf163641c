"""`ncnn-peakmem convert`, and `--precision` of the commands about one network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from ncnn_peakmem import model_bin, param_file
from ncnn_peakmem.model_bin import Storage, Writer
from tests.models_file import models_file

Program = Callable[..., CompletedProcess[str]]
USAGE, COULD_NOT_MEASURE = 2, 3


def fill(param: Path) -> Path:
    """Give a `.param` weights that are not all alike."""
    random = np.random.default_rng(3)
    with param.with_suffix(".bin").open("wb") as stream:
        for layer in param_file.read(param).layers:
            for slot in model_bin.slots(layer):
                Writer(stream).put(slot, random.standard_normal(slot.count).astype(np.float32) / 4)
    return param.with_suffix(".bin")


@pytest.fixture
def project(tmp_path: Path, small_param: Path) -> Path:
    """`small` with weights, and `torn` whose weights are cut short."""
    weights = fill(small_param)
    (tmp_path / "torn.param").write_text(small_param.read_text())
    (tmp_path / "torn.bin").write_bytes(weights.read_bytes()[:-5])
    text = models_file(
        {"none": "{networks: all, axes: []}"}, networks={"small": "small.param", "torn": "torn.param"}
    )
    for name in ("small", "torn"):
        text = text.replace(f"param: {name}.param", f"param: {name}.param, bin: {name}.bin")
    calibration = "calibration: {method: min_max, inputs: 2}"
    text = text.replace("small.bin", f"small.bin, {calibration}")
    (tmp_path / "models.yaml").write_text(text)
    return tmp_path


def storages(weights: Path, param: Path) -> set[Storage]:
    arrays = model_bin.walk(param_file.read(param), weights)
    return {array.storage for array in arrays if array.slot.tagged}


def test_all_precisions_are_made_and_one_failure_stops_no_other(project: Path, ncnn_peakmem: Program) -> None:
    done = ncnn_peakmem("convert", "--cache-dir", "cache", "--to", "out/there", "--json")

    assert done.returncode == COULD_NOT_MEASURE
    rows = json.loads(done.stdout)
    assert [(row["network"], row["precision"], "failure" in row) for row in rows] == [
        *(("small", precision, False) for precision in ("fp32", "fp16", "int8")),
        *(("torn", precision, True) for precision in ("fp32", "fp16", "int8")),
    ]
    assert "torn.bin is cut short" in done.stderr
    fp32, fp16, int8, *_ = rows
    assert fp32["bin_bytes"] == (project / "small.bin").stat().st_size
    assert fp32["bin_bytes"] > fp16["bin_bytes"] > int8["bin_bytes"]
    assert "likenesses" not in fp32
    assert fp16["likenesses"][0]["cosine"] > 0.99999
    assert 0.9 < int8["likenesses"][0]["cosine"] < fp16["likenesses"][0]["cosine"]
    assert int8["quantized"] == int8["quantizable"] > 0
    assert "quantized" not in fp16

    out = project / "out" / "there"
    assert sorted(file.name for file in out.iterdir()) == [
        f"small-{precision}.{kind}" for precision in ("fp16", "fp32", "int8") for kind in ("bin", "param")
    ]
    for row in rows[:3]:
        stem = out / f"small-{row['precision']}"
        assert stem.with_suffix(".bin").stat().st_size == row["bin_bytes"]
        assert storages(stem.with_suffix(".bin"), stem.with_suffix(".param")) == {Storage(row["precision"])}


def test_the_table_has_a_row_for_each(project: Path, ncnn_peakmem: Program) -> None:
    wanted = ("--precision", "fp16", "--precision", "fp32")
    done = ncnn_peakmem("convert", "small", *wanted, "--cache-dir", "cache")

    assert done.returncode == 0, done.stderr
    head, fp16, fp32 = done.stdout.splitlines()
    assert head.split() == [
        "network",
        "precision",
        ".param",
        ".bin",
        "int8",
        "layers",
        "cosine",
        "worst",
        "centred",
    ]
    assert fp16.split()[:2] == ["small", "fp16"]
    assert fp16.split()[-3:] == ["1.00000"] * 3
    assert fp32.split()[:2] == ["small", "fp32"]


def test_a_name_that_is_not_there_is_a_mistake(project: Path, ncnn_peakmem: Program) -> None:
    done = ncnn_peakmem("convert", "smal", "--cache-dir", "cache")
    assert done.returncode == USAGE
    assert "smal" in done.stderr


def test_a_folder_that_cannot_be_written_is_named(project: Path, ncnn_peakmem: Program) -> None:
    (project / "taken").write_text("a file")
    done = ncnn_peakmem("convert", "small", "--precision", "fp32", "--to", "taken/in", "--cache-dir", "cache")
    assert done.returncode == COULD_NOT_MEASURE
    assert "taken/in/small-fp32.param was not written" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_is_measured_at_another_precision(project: Path, ncnn_peakmem: Program) -> None:
    found = {}
    for precision in ("fp32", "fp16"):
        words = (
            "--precision",
            precision,
            "--gauge",
            "heap",
            "--loops",
            "2",
            "--json",
            "--cache-dir",
            "cache",
        )
        done = ncnn_peakmem("measure", project / "small.param", *words)
        assert done.returncode == 0, done.stderr
        found[precision] = done.stdout
    for precision, told in found.items():
        assert f"small-{precision}-t1" in told
    models = [told.split('"model": "')[1][:16] for told in found.values()]
    assert len(set(models)) == 2


def test_zero_weights_are_not_measured_at_another_precision(project: Path, ncnn_peakmem: Program) -> None:
    (project / "small.bin").unlink()
    done = ncnn_peakmem("measure", project / "small.param", "--precision", "int8", "--cache-dir", "cache")
    assert done.returncode == COULD_NOT_MEASURE
    assert "there is no .bin to make int8 weights of" in done.stderr
