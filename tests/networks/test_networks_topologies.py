import functools
import math
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from ncnn_peakmem.networks import TOPOLOGIES, build, source_digest
from tests.onnx_reference import evaluator_of

ALL = list(TOPOLOGIES)
SMALL = ["resnet18", "shufflenet_v2", "mobilenet_v1", "mobilenet_v2"]

# torchvision's published `num_params`; GoogLeNet's without its auxiliary heads. MobileNet V1: table 8 of the
# paper rounds it to 4.2 million.
PARAMETERS = {
    "vgg16": 138_357_544,
    "alexnet": 61_100_840,
    "googlenet": 6_624_904,
    "resnet18": 11_689_512,
    "resnet50": 25_557_032,
    "densenet161": 28_681_000,
    "shufflenet_v2": 2_278_604,
    "mobilenet_v1": 4_231_976,
    "mobilenet_v2": 3_504_872,
}

# torchvision's published `_ops`, in 10^9 multiply-adds; MobileNet V1: the paper's table 8.
GIGA_MULTIPLY_ADDS = {
    "vgg16": 15.47,
    "alexnet": 0.714,
    "googlenet": 1.498,
    "resnet18": 1.814,
    "resnet50": 4.089,
    "densenet161": 7.728,
    "shufflenet_v2": 0.145,
    "mobilenet_v1": 0.569,
    "mobilenet_v2": 0.301,
}


# MiB after onnxsim
@functools.cache
def skeleton(name: str) -> onnx.ModelProto:
    """Give the network without the values of its matrices and kernels: all nine fit into a few megabytes."""
    model = build(name)
    for tensor in model.graph.initializer:
        if len(tensor.dims) > 1:
            tensor.ClearField("raw_data")
    slim = onnx.ModelProto()
    slim.CopyFrom(model)
    return slim


def trainable(model: onnx.ModelProto) -> list[str]:
    operands = {"Conv": slice(1, None), "Gemm": slice(1, None), "BatchNormalization": slice(1, 3)}
    return [name for node in model.graph.node for name in node.input[operands.get(node.op_type, slice(0, 0))]]


def dims(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Give the shape of every weight and every value the model declares."""
    graph = model.graph
    declared = [*graph.input, *graph.value_info, *graph.output]
    return {tensor.name: tuple(tensor.dims) for tensor in graph.initializer} | {
        value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim) for value in declared
    }


def test_the_networks_and_their_order() -> None:
    assert list(TOPOLOGIES) == list(PARAMETERS)


@pytest.mark.parametrize("name", ALL)
def test_parameter_count_is_the_published_one(name: str) -> None:
    model = skeleton(name)
    assert sum(math.prod(dims(model)[weight]) for weight in trainable(model)) == PARAMETERS[name]


@pytest.mark.parametrize("name", ALL)
def test_multiply_adds_are_the_published_ones(name: str) -> None:
    model = skeleton(name)
    shapes = dims(model)
    total = sum(
        math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[1]][1:])
        for node in model.graph.node
        if node.op_type in ("Conv", "Gemm")
    )
    assert total / 1e9 == pytest.approx(GIGA_MULTIPLY_ADDS[name], abs=0.0006, rel=0.0004)


@pytest.mark.parametrize("name", ALL)
def test_carried_shapes_are_the_inferred_ones(name: str) -> None:
    carried = skeleton(name)
    bare = onnx.ModelProto()
    bare.CopyFrom(carried)
    bare.graph.ClearField("value_info")
    bare.graph.output[0].type.tensor_type.ClearField("shape")
    assert dims(carried) == dims(onnx.shape_inference.infer_shapes(bare, strict_mode=True))


@pytest.mark.parametrize("name", ALL)
def test_input_output_and_opset(name: str) -> None:
    model = skeleton(name)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    assert [value.name for value in model.graph.input] == ["data"]
    assert [value.name for value in model.graph.output] == ["output"]
    assert dims(model)["data"] == (1, 3, 224, 224)
    assert dims(model)["output"] == (1, 1000)


@pytest.mark.parametrize("name", ALL)
def test_no_stored_vector_is_constant_or_equal_to_another(name: str) -> None:
    vectors = [
        tensor for tensor in skeleton(name).graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT
    ]
    vectors = [tensor for tensor in vectors if len(tensor.dims) == 1]
    assert vectors
    assert [tensor.name for tensor in vectors if np.ptp(numpy_helper.to_array(tensor)) == 0] == []
    assert len({tensor.raw_data for tensor in vectors}) == len(vectors)


@pytest.mark.parametrize("name", ALL)
def test_batch_norm_epsilon(name: str) -> None:
    found = {
        attribute.f
        for node in skeleton(name).graph.node
        for attribute in node.attribute
        if node.op_type == "BatchNormalization" and attribute.name == "epsilon"
    }
    without = name in ("vgg16", "alexnet")
    assert found == (set() if without else {np.float32(1e-3 if name == "googlenet" else 1e-5)})


@pytest.mark.parametrize("name", SMALL)
def test_the_checker_accepts(name: str) -> None:
    onnx.checker.check_model(build(name), full_check=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ALL if name not in SMALL])
def test_the_checker_accepts_the_large_ones(name: str) -> None:
    onnx.checker.check_model(build(name), full_check=True)


@pytest.mark.parametrize("name", SMALL)
def test_equal_seeds_give_equal_bytes(name: str) -> None:
    first = build(name, seed=3).SerializeToString()
    np.random.seed(1)
    assert build(name, seed=3).SerializeToString() == first


def test_every_weight_depends_on_the_seed() -> None:
    zeroth, first = (
        {tensor.name: tensor.raw_data for tensor in build("mobilenet_v1", seed).graph.initializer}
        for seed in (0, 1)
    )
    assert zeroth.keys() == first.keys()
    assert [name for name in zeroth if zeroth[name] == first[name]] == []


def test_weights_depend_on_the_name() -> None:
    v1, v2 = (build(name).graph.initializer[0] for name in ("mobilenet_v1", "mobilenet_v2"))
    assert v1.dims == v2.dims
    assert v1.raw_data != v2.raw_data


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in SMALL else [pytest.mark.slow]) for name in ALL],
)
def test_activations_neither_vanish_nor_explode(name: str) -> None:
    evaluator = evaluator_of(build(name))
    random = np.random.default_rng(7)
    outputs = []
    for _ in range(2):
        image = random.standard_normal((1, 3, 224, 224), dtype=np.float32)
        values = evaluator.run(None, {"data": image}, intermediate=True)
        assert isinstance(values, dict)
        activations = {node.name: values[node.output[0]] for node in evaluator.proto_.graph.node}
        assert {layer for layer, value in activations.items() if not np.isfinite(value).all()} == set()
        assert {layer for layer, value in activations.items() if not 0.1 < value.std() < 15} == set()
        outputs.append(values["output"])
    assert outputs[0].shape == (1, 1000)
    assert np.std(outputs[0] - outputs[1]) > 0.005 * np.std(outputs[0])


@pytest.mark.parametrize("call", [build, source_digest])
def test_unknown_name_tells_what_is_allowed(call: object) -> None:
    assert callable(call)
    with pytest.raises(
        ValueError, match=r"unknown network 'vgg19', expected one of: vgg16, alexnet, .*mobilenet_v2"
    ):
        call("vgg19")


def test_source_digest_changes_with_the_files_it_covers(monkeypatch: pytest.MonkeyPatch) -> None:
    def digests_with_edit(edited: str) -> dict[str, str]:
        read_bytes = Path.read_bytes
        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_bytes", lambda path: read_bytes(path) + b"#" * (path.name == edited))
            return {name: source_digest(name) for name in TOPOLOGIES}

    before = {name: source_digest(name) for name in TOPOLOGIES}

    def changed(edited: str) -> list[str]:
        after = digests_with_edit(edited)
        return [name for name in TOPOLOGIES if after[name] != before[name]]

    assert all(len(bytes.fromhex(digest)) == 32 for digest in before.values())
    assert changed("builder.py") == ALL
    assert changed("resnet.py") == ["resnet18", "resnet50"]
    assert changed("vgg.py") == ["vgg16"]
