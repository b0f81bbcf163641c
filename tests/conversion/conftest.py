from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ncnn_peakmem.conversion import Cache, convert
from ncnn_peakmem.network import ModelFiles, Network, OnnxFile
from tests.onnx_reference import evaluator_of

Array = npt.NDArray[np.float32]
Sizes = Sequence[int | str]
WriteOnnx = Callable[..., Path]
RunNcnn = Callable[[ModelFiles, Sequence[Array]], list[Array]]

# A crash in ncnn must not take the test session along, and its import must not slow all others.
_RUN_NCNN = """
import sys
import ncnn, numpy
param, weights, folder, inputs, outputs = sys.argv[1:]
net = ncnn.Net()
assert net.load_param(param) == 0 and net.load_model(weights) == 0
extractor = net.create_extractor()
for part in inputs.split(","):
    name, *shape = part.split(":")
    values = numpy.fromfile(f"{folder}/{name}", numpy.float32).reshape([int(size) for size in shape])
    assert extractor.input(name, ncnn.Mat(values).clone()) == 0
for name in outputs.split(","):
    code, result = extractor.extract(name)
    assert code == 0, (name, code)
    numpy.array(result).astype(numpy.float32).tofile(f"{folder}/{name}")
"""


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def write_onnx(tmp_path: Path) -> WriteOnnx:
    return lambda name="small.onnx", **choices: save_small(tmp_path / name, **choices)


@dataclass(frozen=True)
class Converted:
    """A small network that was really converted, for tests that only look at it."""

    network: Network
    cache: Cache
    model: ModelFiles


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    folder = tmp_path_factory.mktemp("converted")
    network = Network("small", OnnxFile(save_small(folder / "small.onnx")))
    cache = Cache(folder / "cache")
    return Converted(network, cache, convert(network, cache))


@pytest.fixture(scope="session")
def run_ncnn(tmp_path_factory: pytest.TempPathFactory) -> RunNcnn:
    def run(files: ModelFiles, values: Sequence[Array]) -> list[Array]:
        folder = tmp_path_factory.mktemp("ncnn")
        for blob, value in zip(files.inputs, values, strict=True):
            value.tofile(folder / blob.name)
        inputs = ",".join(":".join([blob.name, *map(str, blob.shape)]) for blob in files.inputs)
        arguments = [str(files.param), str(files.bin), str(folder), inputs, ",".join(files.outputs)]
        subprocess.run([sys.executable, "-c", _RUN_NCNN, *arguments], check=True, timeout=120)
        return [np.fromfile(folder / name, np.float32) for name in files.outputs]

    return run


@pytest.fixture(scope="session")
def reference() -> Callable[[Path, Sequence[Array]], list[Array]]:
    def evaluate(model: Path, values: Sequence[Array]) -> list[Array]:
        evaluator = evaluator_of(model)
        results = evaluator.run(None, dict(zip(evaluator.input_names, values, strict=True)))
        return [np.asarray(result, np.float32).ravel() for result in results]

    return evaluate


@pytest.fixture(scope="session")
def cosine() -> Callable[[Array, Array], float]:
    def similarity(a: Array, b: Array) -> float:
        wide_a, wide_b = a.ravel().astype(np.float64), b.ravel().astype(np.float64)
        return float(wide_a @ wide_b / (np.linalg.norm(wide_a) * np.linalg.norm(wide_b)))

    return similarity


def save_small(
    file: Path,
    *,
    sizes: Sizes = (1, 3, 8, 8),
    seed: int = 0,
    tail: str = "Relu",
    input_type: int = TensorProto.FLOAT,
    second_input: Sizes | None = None,
    external: str = "",
) -> Path:
    """Save input -> Conv -> `tail` [-> Add of a second input], 3 channels to 4."""
    random = np.random.default_rng(seed)
    weight = numpy_helper.from_array(random.standard_normal((4, 3, 3, 3)).astype(np.float32), "weight")
    bias = numpy_helper.from_array(random.standard_normal(4).astype(np.float32), "bias")
    source = "data"
    nodes = []
    if input_type != TensorProto.FLOAT:
        nodes.append(helper.make_node("Cast", ["data"], ["cast"], to=TensorProto.FLOAT))
        source = "cast"
    nodes.append(
        helper.make_node("Conv", [source, "weight", "bias"], ["conv"], pads=[1, 1, 1, 1], name="conv")
    )
    nodes.append(helper.make_node(tail, ["conv"], ["tail"], name="tail"))
    inputs = [helper.make_tensor_value_info("data", input_type, sizes)]
    if second_input:
        nodes.append(helper.make_node("Add", ["tail", "more:0"], ["sum"], name="add"))
        inputs.append(helper.make_tensor_value_info("more:0", TensorProto.FLOAT, second_input))
    outputs: list[Any] = [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "small", inputs, outputs, [weight, bias])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model = onnx.shape_inference.infer_shapes(model)
    file.parent.mkdir(parents=True, exist_ok=True)
    if external:
        onnx.save(
            model,
            file,
            save_as_external_data=True,
            location=external,
            size_threshold=0,
            convert_attribute=False,
        )
    else:
        onnx.save(model, file)
    return file
