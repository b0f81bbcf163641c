from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto
from onnx.external_data_helper import ExternalDataInfo

from ncnn_peakmem import networks, param_file
from ncnn_peakmem.conversion import Cache, ConversionError, Key, Stage, convert, pnnx, recipe, verify
from ncnn_peakmem.conversion.cache import Entry
from ncnn_peakmem.network import BuiltIn, InputBlob, ModelFiles, Network, OnnxFile, Shape, Source

if TYPE_CHECKING:
    from tests.conversion.conftest import Converted

Array = npt.NDArray[np.float32]
WriteOnnx = Callable[..., Path]


def from_onnx(file: Path, *shapes: Shape, name: str = "small") -> Network:
    return Network(name, OnnxFile(file), shapes)


def failure(network: Network, cache: Cache, time_limit: float = 600) -> ConversionError:
    """The error of a conversion that must fail and leave no entry."""
    with pytest.raises(ConversionError) as caught:
        convert(network, cache, time_limit=time_limit)
    assert list(cache.entries()) == []
    assert str(caught.value).startswith(f"{network.name}: {caught.value.stage} failed: ")
    assert "\n  next  " in str(caught.value)
    return caught.value


def test_a_converted_network_computes_what_onnx_says(
    cache: Cache,
    write_onnx: WriteOnnx,
    run_ncnn: Callable[[ModelFiles, Sequence[Array]], list[Array]],
    reference: Callable[[Path, Sequence[Array]], list[Array]],
    cosine: Callable[[Array, Array], float],
) -> None:
    told: list[str] = []
    file = write_onnx(sizes=("n", 3, "h", "w"), second_input=("n", 4, "h", "w"))
    network = from_onnx(file, (1, 3, 10, 12), (1, 4, 10, 12))
    model = convert(network, cache, told.append)

    assert model.inputs == (InputBlob("in0", (3, 10, 12)), InputBlob("in1", (4, 10, 12)))
    assert model.outputs == ("out0",)
    values = [np.random.default_rng(1).random((1, *blob.shape), np.float32) for blob in model.inputs]
    (expected,) = reference(model.param.with_name("net.onnx"), values)
    (computed,) = run_ncnn(model, [value[0] for value in values])
    assert cosine(computed, expected) > 0.9999

    text = model.param.read_text()
    assert param_file.format(param_file.parse(text)) == text
    assert model.bin
    assert model.bin.stat().st_size == 4 + 4 * 3 * 9 * 4 + 4 * 4, "fp32: a tag, the weights, the biases"
    (entry,) = cache.entries()
    assert verify(entry) == ()
    assert sorted(file.name for file in entry.folder.iterdir()) == [
        "entry.json",
        "net.bin",
        "net.onnx",
        "net.param",
    ]
    assert [line.partition(" in ")[0] for line in told] == [
        "small: reading the ONNX file",
        "small: simplifying with onnxsim",
        "small: reading the ONNX file",
        "small: converting with pnnx",
        "small: checking",
        "small: converted",
    ]


def test_a_hit_starts_no_process_and_says_nothing(
    converted: Converted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a hit started a process")

    monkeypatch.setattr(subprocess, "run", refuse)
    told: list[str] = []
    assert convert(converted.network, converted.cache, told.append) == converted.model
    assert told == []


def test_a_built_in_network_is_built_and_converted(cache: Cache) -> None:
    told: list[str] = []
    model = convert(Network("mine", BuiltIn("shufflenet_v2", seed=3)), cache, told.append)
    assert model.inputs == (InputBlob("in0", (3, 224, 224)),)
    assert model.outputs == ("out0",)
    assert told[0] == "mine: building ONNX"
    types = {layer.type for layer in param_file.read(model.param).layers}
    assert "ShuffleChannel" in types


class Keys(Cache):
    """Notes the keys it is asked for and holds an entry for each."""

    def entry(self, key: Key, *_: object) -> Entry:
        self.last = key
        raise LookupError


def key_of(source: Source, cache: Cache, *shapes: Shape, name: str = "small") -> str:
    keys = Keys(cache.root)
    with pytest.raises(LookupError):
        convert(Network(name, source, shapes), keys)
    return keys.last.digest


def test_the_key_of_a_built_in_network(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    first = key_of(BuiltIn("resnet18"), cache)
    assert key_of(BuiltIn("resnet18"), cache, name="other") == first
    others = [
        key_of(BuiltIn("resnet18", seed=1), cache),
        key_of(BuiltIn("resnet50"), cache),
        key_of(BuiltIn("resnet18"), cache, (1, 3, 96, 96)),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(networks, "source_digest", lambda _: "edited")
        others.append(key_of(BuiltIn("resnet18"), cache))
    with monkeypatch.context() as patch:
        patch.setattr(recipe, "RECIPE", 0)
        others.append(key_of(BuiltIn("resnet18"), cache))
    with monkeypatch.context() as patch:
        patch.setitem(pnnx.SETTINGS, "fp16", 1)
        others.append(key_of(BuiltIn("resnet18"), cache))
    for package in ("numpy", "onnx", "onnxsim", "pnnx"):
        with monkeypatch.context() as patch:
            patch.setattr(metadata, "version", other_version(package))
            others.append(key_of(BuiltIn("resnet18"), cache))
    assert len({first, *others}) == 1 + len(others)


def test_the_key_of_a_built_in_network_follows_its_own_inputs(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = key_of(BuiltIn("unet"), cache)
    others = []
    for end in (networks.Input(shape=(1, 3, 320, 320)), networks.Input("image", (1, 3, 256, 256))):
        with monkeypatch.context() as patch:
            patch.setattr(networks, "inputs", lambda _, __, end=end: (end,))
            others.append(key_of(BuiltIn("unet"), cache))
    assert len({first, *others}) == 3


def other_version(package: str) -> Callable[[str], str]:
    version = metadata.version
    return lambda name: "0" if name == package else version(name)


def test_the_key_of_an_onnx_file_follows_its_content(
    cache: Cache, write_onnx: WriteOnnx, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_onnx("one/model.onnx", external="weights.bin")
    first = key_of(OnnxFile(file), cache)
    moved = write_onnx("two/model.onnx", external="weights.bin")
    assert key_of(OnnxFile(moved), cache) == first
    with monkeypatch.context() as patch:
        patch.setattr(metadata, "version", other_version("numpy"))
        assert key_of(OnnxFile(file), cache) == first

    data = file.with_name("weights.bin")
    content = bytearray(data.read_bytes())
    content[-1] ^= 1
    data.write_bytes(content)
    other_weights = key_of(OnnxFile(file), cache)
    data.write_bytes(moved.with_name("weights.bin").read_bytes())
    assert key_of(OnnxFile(file), cache) == first
    write_onnx("one/model.onnx", tail="Sigmoid", external="weights.bin")
    other_graph = key_of(OnnxFile(file), cache)
    assert len({first, other_weights, other_graph}) == 3


def test_an_unchanged_file_is_not_inspected_again(
    cache: Cache, write_onnx: WriteOnnx, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = OnnxFile(write_onnx(external="weights.bin"))
    first = key_of(source, cache)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("inspected again"))
    assert key_of(source, cache) == first


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer"),
        (b"\x00\x01\x02 not a model", "is not ONNX, or it is cut short"),
    ],
)
def test_a_file_that_is_no_model_is_refused(content: bytes, words: str, cache: Cache, tmp_path: Path) -> None:
    file = tmp_path / "small.onnx"
    file.write_bytes(content)
    error = failure(from_onnx(file), cache)
    assert error.stage is Stage.INSPECT
    assert error.cause == f"{file} {words}" or error.cause.startswith(f"{file} {words};")


@pytest.mark.parametrize("cut", [0.5, 0.99])
def test_a_truncated_model_is_refused(cut: float, cache: Cache, write_onnx: WriteOnnx) -> None:
    file = write_onnx()
    os.truncate(file, int(file.stat().st_size * cut))
    assert "cut short" in failure(from_onnx(file), cache).cause


def test_a_missing_model_is_refused(cache: Cache, tmp_path: Path) -> None:
    error = failure(from_onnx(tmp_path / "none.onnx"), cache)
    assert error.cause == f"{tmp_path}/none.onnx is not a file"
    assert error.advice == "correct the path in models.yaml"


def test_an_input_of_another_type_is_refused(cache: Cache, write_onnx: WriteOnnx) -> None:
    error = failure(from_onnx(write_onnx(input_type=TensorProto.INT64)), cache)
    assert error.cause == "input data holds int64; only float (32 bits) inputs can be measured"


def test_a_dynamic_shape_asks_for_input_shapes(cache: Cache, write_onnx: WriteOnnx) -> None:
    error = failure(from_onnx(write_onnx(sizes=("batch", 3, 8, "w"))), cache)
    assert error.cause == "the shape of input data is not fixed (sizes batch, 3, 8, w)"
    assert "give `input_shapes` in models.yaml" in error.advice
    assert not (cache.root / "models").exists(), "told before onnxsim and pnnx take their time"


def test_too_few_input_shapes_are_refused(cache: Cache, write_onnx: WriteOnnx) -> None:
    file = write_onnx(second_input=(1, 4, 8, 8))
    error = failure(from_onnx(file, (1, 3, 8, 8)), cache)
    assert error.cause == "models.yaml gives 1 input shapes for the inputs data, more:0"


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 0, 8)])
def test_a_shape_that_onnxsim_passes_over_is_refused(
    shape: Shape, cache: Cache, write_onnx: WriteOnnx
) -> None:
    error = failure(from_onnx(write_onnx(), shape), cache)
    assert error.cause == f"input data stays [1, 3, 8, 8], it cannot be {list(shape)}"
    assert "give `input_shapes` in models.yaml" in error.advice


def test_a_batch_above_one_is_refused(cache: Cache, write_onnx: WriteOnnx) -> None:
    error = failure(from_onnx(write_onnx(sizes=(2, 3, 8, 8))), cache)
    assert error.cause == "input shape [2, 3, 8, 8] has a batch above 1"


def test_an_operator_that_ncnn_lacks_is_named(cache: Cache, write_onnx: WriteOnnx) -> None:
    error = failure(from_onnx(write_onnx(sizes=(1, 3, 8, 8), tail="Det")), cache)
    assert error.stage is Stage.CHECK
    assert error.cause == "operator Det (node tail) has no ncnn layer, pnnx left it as layer Det_1"


def test_a_tool_that_fails_shows_its_last_words_and_its_log(
    cache: Cache, write_onnx: WriteOnnx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe, "_ONNXSIM_SETTINGS", ("--no-such-flag",))
    error = failure(from_onnx(write_onnx()), cache)
    assert error.log
    assert "--no-such-flag" in "\n".join(error.tail)
    assert error.log.read_text().startswith("$ ")
    assert f"log   {error.log}" in str(error)


def test_external_data_is_converted(cache: Cache, write_onnx: WriteOnnx, converted: Converted) -> None:
    model = convert(from_onnx(write_onnx(external="w.bin")), cache)
    assert model.bin
    assert converted.model.bin
    assert model.bin.read_bytes() == converted.model.bin.read_bytes()
    assert model.digest == converted.model.digest


def test_missing_external_data_is_refused(cache: Cache, write_onnx: WriteOnnx) -> None:
    file = write_onnx(external="w.bin")
    file.with_name("w.bin").unlink()
    cause = "tensor weight lies in the external data file w.bin, which is missing"
    assert failure(from_onnx(file), cache).cause == cause


@pytest.mark.parametrize("keep_length", [True, False])
def test_short_external_data_is_refused(keep_length: bool, cache: Cache, write_onnx: WriteOnnx) -> None:
    file = write_onnx(external="w.bin")
    os.truncate(file.with_name("w.bin"), 216)
    if not keep_length:
        drop_external_entries(file, "length")
    error = failure(from_onnx(file), cache)
    assert error.cause.startswith(
        "the external data file w.bin is cut short: it has 216 bytes, tensor weight "
    )


def test_data_lost_after_a_first_conversion_is_noticed(cache: Cache, write_onnx: WriteOnnx) -> None:
    file = write_onnx(external="w.bin")
    key_of(OnnxFile(file), cache)
    os.truncate(file.with_name("w.bin"), 216)
    assert "cut short" in failure(from_onnx(file), cache).cause


@pytest.mark.parametrize("location", ["../outside.bin", "/etc/hostname", "link.bin", ""])
def test_external_data_outside_the_models_folder_is_refused(
    location: str, cache: Cache, write_onnx: WriteOnnx
) -> None:
    file = write_onnx("inner/small.onnx", external="w.bin")
    data = file.with_name("w.bin")
    outside = file.parent.parent / "outside.bin"
    outside.write_bytes(data.read_bytes())
    file.with_name("link.bin").symlink_to(outside)
    drop_external_entries(file, "location", location)
    error = failure(from_onnx(file), cache)
    assert error.cause == f"tensor weight lies in {location!r}, outside the model's folder"


def drop_external_entries(file: Path, key: str, value: str | None = None) -> None:
    """Drop an entry of each tensor's external data, or give it another value."""
    model = onnx.load(file, load_external_data=False)
    for tensor in model.graph.initializer:
        assert ExternalDataInfo(tensor).location == "w.bin"
        entries = [entry for entry in tensor.external_data if entry.key != key]
        del tensor.external_data[:]
        tensor.external_data.extend(entries)
        if value is not None:
            tensor.external_data.add(key=key, value=value)
    onnx.save(model, file)


def test_without_pnnx_the_error_names_the_command_that_mends_it(
    cache: Cache, write_onnx: WriteOnnx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pnnx, "binary", lambda: None)
    error = failure(from_onnx(write_onnx()), cache)
    assert error.stage is Stage.CONVERT
    assert error.advice == "run `pip install --no-deps pnnx==20261020`"


def test_a_stage_that_takes_too_long_is_stopped(cache: Cache, write_onnx: WriteOnnx) -> None:
    error = failure(from_onnx(write_onnx()), cache, time_limit=0.01)
    assert error.cause == "still running after 0.01 s"


def test_a_pnnx_that_says_fatal_and_exits_0_is_not_believed(
    cache: Cache, write_onnx: WriteOnnx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "pnnx"
    real = shlex.quote(str(pnnx.binary()))
    program.write_text(f'#!/bin/sh\n{real} "$@"\necho FATAL ERROR no external data\n')
    program.chmod(0o755)
    monkeypatch.setattr(pnnx, "binary", lambda: program)
    error = failure(from_onnx(write_onnx()), cache)
    assert error.cause == "pnnx exited 0 but said: FATAL ERROR no external data"


def test_an_unknown_topology_is_an_error(cache: Cache) -> None:
    error = failure(Network("mine", BuiltIn("lenet")), cache)
    assert "unknown network 'lenet'" in error.cause


def test_a_cache_that_cannot_be_written_is_an_error(write_onnx: WriteOnnx, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ConversionError, match="small: using the cache failed: ") as caught:
        convert(from_onnx(write_onnx()), Cache(tmp_path / "file"))
    assert "NCNN_PEAKMEM_CACHE_DIR" in str(caught.value)


DYING = """
import os, signal, sys
from pathlib import Path
from ncnn_peakmem.conversion import Cache, convert
from ncnn_peakmem.network import Network, OnnxFile

def die(line):
    if line == "small: checking":
        os.kill(os.getpid(), signal.SIGKILL)

convert(Network("small", OnnxFile(Path(sys.argv[1]))), Cache(Path(sys.argv[2])), die)
"""


@pytest.mark.slow
def test_a_conversion_killed_before_its_check_is_done_again(cache: Cache, write_onnx: WriteOnnx) -> None:
    file = write_onnx()
    died = subprocess.run([sys.executable, "-c", DYING, str(file), str(cache.root)], check=False, timeout=120)
    assert died.returncode == -9
    (remains,) = (cache.root / "models").iterdir()
    assert (remains / "work" / "net.param").exists()
    assert list(cache.entries()) == []
    model = convert(from_onnx(file), cache)
    assert [entry.model for entry in cache.entries()] == [model]
    assert list((cache.root / "models").iterdir()) == [model.param.parent]
