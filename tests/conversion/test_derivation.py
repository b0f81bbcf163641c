"""fp16 and int8 files, made of fp32 ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from packaging.version import Version

from ncnn_peakmem import model_bin, param_file
from ncnn_peakmem.case import Precision
from ncnn_peakmem.conversion import Cache, ConversionError, Stage, convert, quantization_report, verify
from ncnn_peakmem.conversion.cache import Entry, Interface, Key
from ncnn_peakmem.model_bin import Storage, Writer
from ncnn_peakmem.network import Calibration, CalibrationMethod, ModelFiles, NcnnFiles, Network

if TYPE_CHECKING:
    from tests.conversion.conftest import Converted

Array = npt.NDArray[np.float32]
RunNcnn = Callable[[ModelFiles, Sequence[Array]], list[Array]]
FEW = Calibration(CalibrationMethod.MIN_MAX, inputs=2)

WEIGHTS = 4 * 3 * 9
BIASES = 4
REPORT_OF_ANOTHER = b'{"quantized": ["c"], "requantized": [], "left": [], "inputs": 1}'


@pytest.fixture
def own(converted: Converted, tmp_path: Path) -> Network:
    """The small network as a user's ncnn files."""
    param, weights = tmp_path / "own.param", tmp_path / "own.bin"
    assert converted.model.bin
    param.write_bytes(converted.model.param.read_bytes())
    weights.write_bytes(converted.model.bin.read_bytes())
    shapes = tuple((1, *blob.shape) for blob in converted.model.inputs)
    return Network("own", NcnnFiles(param, weights), shapes, calibration=FEW)


def bin_of(model: ModelFiles) -> Path:
    assert model.bin
    return model.bin


def storages(model: ModelFiles) -> list[Storage]:
    arrays = model_bin.walk(param_file.read(model.param), bin_of(model))
    return [array.storage for array in arrays if array.slot.tagged]


def refusal(network: Network, cache: Cache, precision: Precision) -> ConversionError:
    with pytest.raises(ConversionError) as caught:
        convert(network, cache, precision=precision)
    return caught.value


def test_halves_take_half_and_compute_the_same(
    converted: Converted, run_ncnn: RunNcnn, cosine: Callable[[Array, Array], float]
) -> None:
    model = convert(converted.network, converted.cache, precision=Precision.FP16)

    assert bin_of(model).stat().st_size == 4 + 2 * WEIGHTS + 4 * BIASES
    assert model.param.read_bytes() == converted.model.param.read_bytes()
    assert (model.inputs, model.outputs) == (converted.model.inputs, converted.model.outputs)
    assert model.digest != converted.model.digest
    values = [np.random.default_rng(1).random(blob.shape, np.float32) for blob in model.inputs]
    ((fp32,), (fp16,)) = (run_ncnn(files, values) for files in (converted.model, model))
    assert cosine(fp32, fp16) > 0.99999
    assert not np.array_equal(fp32, fp16)


def test_int8_is_quantized_and_keeps_its_scales(
    converted: Converted, run_ncnn: RunNcnn, cosine: Callable[[Array, Array], float]
) -> None:
    network = replace(converted.network, calibration=FEW)
    model = convert(network, converted.cache, precision=Precision.INT8)

    assert bin_of(model).stat().st_size == 4 + WEIGHTS + 4 * (BIASES + BIASES + 1)
    assert storages(model) == [Storage.INT8]
    report = quantization_report(model)
    assert report
    (name,) = report.quantized
    assert f"{name}_param_0 " in model.param.with_name("net.table").read_text()
    values = [np.random.default_rng(1).random(blob.shape, np.float32) for blob in model.inputs]
    ((fp32,), (int8,)) = (run_ncnn(files, values) for files in (converted.model, model))
    assert cosine(fp32, int8) > 0.99


def test_what_was_derived_is_found_again(converted: Converted) -> None:
    told: list[str] = []
    network = replace(converted.network, calibration=FEW)
    for precision in (Precision.FP16, Precision.INT8):
        first = convert(network, converted.cache, precision=precision)
        assert convert(network, converted.cache, told.append, precision=precision) == first
    assert told == []
    assert convert(network, converted.cache, told.append) == converted.model
    assert all(verify(entry) == () for entry in converted.cache.entries())


def test_the_kept_scales_give_the_same_network(converted: Converted) -> None:
    calibrated = convert(
        replace(converted.network, calibration=FEW), converted.cache, precision=Precision.INT8
    )
    table = Calibration(table=calibrated.param.with_name("net.table"))
    model = convert(replace(converted.network, calibration=table), converted.cache, precision=Precision.INT8)
    assert model.param != calibrated.param
    assert bin_of(model).read_bytes() == bin_of(calibrated).read_bytes()


def test_other_calibration_makes_another_entry(converted: Converted, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    np.save(data / "a.npy", np.full((3, 8, 8), 0.5, np.float32))

    def place(calibration: Calibration) -> Path:
        network = replace(converted.network, calibration=calibration)
        return convert(network, converted.cache, precision=Precision.INT8).param

    from_data = Calibration(CalibrationMethod.MIN_MAX, data=data)
    first = place(from_data)
    assert place(from_data) == first
    np.save(data / "a.npy", np.full((3, 8, 8), 2.5, np.float32))
    second = place(from_data)
    (data / "a.npy").rename(data / "b.npy")
    third = place(from_data)
    assert len({first, second, third, place(FEW), place(replace(FEW, inputs=3))}) == 5


def noted_key(network: Network, cache: Cache) -> Key:
    """The key that its int8 files are asked for by."""
    keys: list[Key] = []

    class Noting(Cache):
        def entry(
            self, key: Key, fill: Callable[[Path, Path], Interface], progress: Callable[[str], None]
        ) -> Entry:
            keys.append(key)
            if key.ingredients.get("precision") == Precision.INT8:
                raise LookupError
            return super().entry(key, fill, progress)

    with pytest.raises(LookupError):
        convert(network, Noting(cache.root), precision=Precision.INT8)
    return keys[-1]


def test_the_key_follows_the_files_that_are_read_and_no_others(
    own: Network, cache: Cache, tmp_path: Path
) -> None:
    assert isinstance(own.source, NcnnFiles)
    two = "7767517\n4 4\nInput in0 0 1 in0 0=8 1=8 2=3\nInput in1 0 1 in1 0=8 1=8 2=3\n"
    two += "Convolution c 1 1 in0 c 0=4 1=3 4=1 5=1 6=108\nBinaryOp add 2 1 c in1 out\n"
    own.source.param.write_text(two.replace("0=8 1=8 2=3\nConv", "0=8 1=8 2=4\nConv"))
    elsewhere, data = tmp_path / "elsewhere", tmp_path / "data"
    elsewhere.mkdir()
    (data / "in1").mkdir(parents=True)
    (data / "in0").symlink_to(elsewhere)
    for folder in (data / "in0", data / "in1"):
        for name in ("a.npy", "b.npy"):
            (folder / name).write_bytes(b"first")
    network = replace(own, input_shapes=(), calibration=Calibration(data=data, inputs=1))
    first = noted_key(network, cache)

    (data / "in0" / "b.npy").write_bytes(b"beyond the first input")
    (data / "notes.txt").write_text("none of this")
    os.mkfifo(data / "in1" / "a.pgm")
    assert noted_key(network, cache) == first
    (elsewhere / "a.npy").write_bytes(b"other")
    assert noted_key(network, cache) != first


def test_the_key_follows_what_decodes_the_pictures_that_are_read(
    own: Network, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    version = metadata.version

    def key(pillow: str) -> str:
        monkeypatch.setattr(metadata, "version", lambda name: pillow if name == "pillow" else version(name))
        return noted_key(replace(own, calibration=Calibration(data=data)), cache).digest

    (data / "a.ppm").write_bytes(b"P6")
    assert key("1") == key("2")
    (data / "a.PNG").write_bytes(b"PNG")
    assert key("1") != key("2")


def test_a_folder_that_fits_no_input_is_refused_before_anything_runs(
    own: Network, cache: Cache, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    error = refusal(replace(own, calibration=Calibration(data=tmp_path / "data")), cache, Precision.INT8)
    assert error.stage is Stage.QUANTIZE
    assert "data: holds no calibration data" in error.cause
    assert list(cache.root.rglob("quantize.log")) == []
    assert "models.yaml" in error.advice


@pytest.mark.parametrize("content", [b"[]", b"\xff", b'{"quantized": 3}', REPORT_OF_ANOTHER])
def test_a_strangers_report_beside_own_files_is_not_ours(content: bytes, own: Network, cache: Cache) -> None:
    assert isinstance(own.source, NcnnFiles)
    own.source.param.with_name("quantization.json").write_bytes(content)
    assert quantization_report(convert(own, cache)) is None


def test_a_report_that_was_damaged_in_the_cache_is_none(converted: Converted, cache: Cache) -> None:
    shutil.copytree(converted.cache.root, cache.root, dirs_exist_ok=True)
    model = convert(replace(converted.network, calibration=FEW), cache, precision=Precision.INT8)
    assert quantization_report(model)
    report = model.param.with_name("quantization.json")
    report.write_bytes(b"x" * report.stat().st_size)
    assert quantization_report(model) is None


def test_a_disk_that_is_full_is_told(own: Network) -> None:
    assert isinstance(own.source, NcnnFiles)
    words = [str(own.source.param), str(own.source.bin), "/dev/full"]
    command = [sys.executable, "-m", "ncnn_peakmem.conversion.half", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == os.EX_DATAERR
    assert done.stderr == "/dev/full: No space left on device\n"


def test_a_release_matters_only_where_a_product_would_become_int8(converted: Converted) -> None:
    network = replace(converted.network, calibration=FEW)
    places = {
        convert(network, converted.cache, precision=Precision.INT8, release=release).param
        for release in (None, Version("1.0.20220101"), Version("1.0.20261020"))
    }
    assert len(places) == 1


@pytest.mark.parametrize("precision", [Precision.FP16, Precision.INT8])
def test_a_users_files_are_made_into_others(precision: Precision, own: Network, cache: Cache) -> None:
    model = convert(own, cache, precision=precision)
    assert storages(model) == [Storage(precision.value)]
    assert isinstance(own.source, NcnnFiles)
    assert convert(own, cache).param == own.source.param, "its own stay where they are"

    other = bytearray(own.source.bin.read_bytes() if own.source.bin else b"")
    other[8] ^= 1
    assert own.source.bin
    own.source.bin.write_bytes(other)
    assert convert(own, cache, precision=precision).param != model.param


def test_a_weight_that_no_half_can_hold_stays_fp32(own: Network, cache: Cache) -> None:
    assert isinstance(own.source, NcnnFiles)
    graph, weights = param_file.read(own.source.param), own.source.bin
    assert weights
    arrays = [(stored.slot, np.array(stored.read())) for stored in model_bin.walk(graph, weights)]
    arrays[0][1][5] = 70_000
    with weights.open("wb") as stream:
        for slot, numbers in arrays:
            Writer(stream).put(slot, numbers)

    model = convert(own, cache, precision=Precision.FP16)

    assert storages(model) == [Storage.FP32]
    (log,) = (cache.root / "logs").rglob("halve.log")
    assert "stays fp32: fp16 ends at 65504" in log.read_text()


def test_zero_weights_have_no_other_precision(own: Network, cache: Cache) -> None:
    assert isinstance(own.source, NcnnFiles)
    error = refusal(replace(own, source=NcnnFiles(own.source.param)), cache, Precision.FP16)
    assert error.stage is Stage.HALVE
    assert "there is no .bin to make fp16 weights of" in error.cause
    assert "give the .bin" in error.advice


@pytest.mark.parametrize("wanted", [Precision.FP32, Precision.FP16])
def test_only_fp32_becomes_another_precision(wanted: Precision, own: Network, cache: Cache) -> None:
    error = refusal(replace(own, precision=Precision.INT8), cache, wanted)
    assert error.cause == f"its weights are int8, and {wanted} is made of fp32 ones only"


def test_files_that_are_int8_without_saying_so_are_refused(own: Network, cache: Cache) -> None:
    made = convert(own, cache, precision=Precision.INT8)
    error = refusal(replace(own, source=NcnnFiles(made.param, made.bin)), cache, Precision.FP16)
    assert error.stage is Stage.HALVE
    assert "is stored as int8, not as fp32" in error.cause


def test_calibration_data_that_is_missing_is_named(own: Network, cache: Cache, tmp_path: Path) -> None:
    for calibration in (Calibration(table=tmp_path / "none"), Calibration(data=tmp_path / "none")):
        error = refusal(replace(own, calibration=calibration), cache, Precision.INT8)
        assert error.stage is Stage.QUANTIZE
        assert f"{tmp_path}/none" in error.cause


def test_weights_that_are_cut_short_are_refused_by_name(own: Network, cache: Cache) -> None:
    assert isinstance(own.source, NcnnFiles)
    assert own.source.bin
    os.truncate(own.source.bin, 100)
    for precision in (None, Precision.FP16, Precision.INT8):
        with pytest.raises(ConversionError) as caught:
            convert(own, cache, precision=precision)
        assert caught.value.stage is Stage.DESCRIBE
        assert f"{own.source.bin} is cut short: the weight of layer " in caught.value.cause
        assert "needs 436 bytes from byte 0 on, and the file ends after 100 of them" in caught.value.cause
        assert "fetch or convert it again" in caught.value.advice


def test_weights_with_bytes_left_over_are_taken_as_ncnn_takes_them(own: Network, cache: Cache) -> None:
    assert isinstance(own.source, NcnnFiles)
    assert own.source.bin
    with own.source.bin.open("ab") as stream:
        stream.write(b"more")
    assert convert(own, cache).bin == own.source.bin
    assert storages(convert(own, cache, precision=Precision.INT8)) == [Storage.INT8]
    assert storages(convert(own, cache, precision=Precision.FP16)) == [Storage.FP16]
