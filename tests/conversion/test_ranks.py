"""Networks of several inputs and outputs, and of inputs of each rank, from ONNX to figures."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ncnn_peakmem import forecast, graph, machine, runtimes
from ncnn_peakmem.anatomy.dissection import dissect
from ncnn_peakmem.conversion import Cache, convert
from ncnn_peakmem.measurement import Gauge, Metric, Phase
from ncnn_peakmem.network import Loops, Network, OnnxFile, Shape
from ncnn_peakmem.probe import Conditions, Job, probe

LOOPS = Loops(2, 4)


def save(file: Path, nodes: list[onnx.NodeProto], inputs: dict[str, Shape], outputs: tuple[str, ...]) -> Path:
    """Save a model; `weight` is a matrix of 8x8."""
    weight = numpy_helper.from_array(np.eye(8, dtype=np.float32), "weight")
    made = helper.make_graph(
        nodes,
        "ranks",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes) for name, sizes in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [weight],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(onnx.shape_inference.infer_shapes(model), file)
    return file


def measured(file: Path, cache: Cache, inputs: tuple[Shape, ...], outputs: int) -> None:
    """Convert, measure, forecast and dissect; figures agree where more than one tells them."""
    model = convert(Network("ranks", OnnxFile(file)), cache)
    assert tuple(blob.shape for blob in model.inputs) == inputs
    assert len(model.outputs) == outputs
    job = Job(runtimes.installed(), model, {}, 1)
    conditions = Conditions(cpu=min(os.sched_getaffinity(0)))
    heap = probe(Gauge.HEAP, job, LOOPS, conditions)
    assert heap.outcome.ok, heap.outcome
    peak = heap.phases[Phase.STEADY][Metric.PEAK]
    assert peak > 4 * sum(int(np.prod(shape)) for shape in inputs)
    assert graph.read(model).outputs == model.outputs
    assert dissect(job, heap, conditions).attribution.peak.bytes == max(
        figures[Metric.PEAK] for figures in heap.phases.values()
    )
    setting = forecast.Setting(machine.detect(), runtimes.installed().release, {}, 1)
    assert forecast.predict(model, setting, LOOPS, forecast.Library()).peak.bytes > 0


@pytest.mark.parametrize("shape", [(8,), (5, 8), (3, 5, 8), (2, 3, 5, 8)], ids=len)
def test_an_input_of_each_rank(shape: Shape, tmp_path: Path, cache: Cache) -> None:
    nodes = [
        helper.make_node("Relu", ["data"], ["a"], name="a"),
        helper.make_node("Sigmoid", ["a"], ["out"], name="b"),
    ]
    file = save(tmp_path / "ranks.onnx", nodes, {"data": shape}, ("out",))
    measured(file, cache, (shape,), 1)


def test_several_inputs_of_several_ranks_and_several_outputs(tmp_path: Path, cache: Cache) -> None:
    nodes = [
        helper.make_node("MatMul", ["rows", "weight"], ["product"], name="product"),
        helper.make_node("Relu", ["image"], ["lit"], name="lit"),
        helper.make_node("Sigmoid", ["lit"], ["dim"], name="dim"),
        helper.make_node("Add", ["lit", "dim"], ["both"], name="both"),
    ]
    inputs = {"rows": (5, 8), "image": (3, 16, 16)}
    file = save(tmp_path / "several.onnx", nodes, inputs, ("product", "both", "dim"))
    measured(file, cache, ((5, 8), (3, 16, 16)), 3)
