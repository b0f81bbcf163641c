import functools
import hashlib
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from ncnn_peakmem.networks import CLASSIC, TOPOLOGIES, build, inputs, source_digest
from tests.onnx_reference import evaluator_of

LATER = [
    "squeezenet_1_1",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "efficientnet_b0",
    "yolox_nano",
    "unet",
]
CONVOLUTIONAL = [*CLASSIC, *LATER]
SMALL = ["resnet18", "shufflenet_v2", "mobilenet_v1", "mobilenet_v2", *LATER[:-1]]

# torchvision's published `num_params`; GoogLeNet's without its auxiliary heads. MobileNet V1: table 8 of the
# paper rounds it to 4.2 million. YOLOX-Nano: its authors' table rounds it to 0.91 million. U-Net: milesial's
# Pytorch-UNet with 3 channels, 2 classes and transposed convolutions.
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
    "squeezenet_1_1": 1_235_496,
    "mobilenet_v3_small": 2_542_856,
    "mobilenet_v3_large": 5_483_032,
    "efficientnet_b0": 5_288_548,
    "yolox_nano": 912_159,
    "unet": 31_037_698,
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
    "squeezenet_1_1": 0.349,
    "mobilenet_v3_small": 0.057,
    "mobilenet_v3_large": 0.217,
    "efficientnet_b0": 0.386,
}

# The seed 0, sha256: whoever has measured these, and stored a baseline, has measured these bytes.
DIGESTS = {
    "shufflenet_v2": "f2a6a9a7c9d15460fc1f396f701b3b7a3f71d0087490adf079eacef48275ef03",
    "mobilenet_v1": "b818e8653468966be8b22e3ee49bbcd4cf73fe3f29330235b20008842e5d04c9",
    "mobilenet_v2": "284b05297490463d7a5046ef93d1e796ec445ca5db075a6fcd75b9c4cdd0ff4c",
}


# MiB after onnxsim
@functools.cache
def skeleton(name: str) -> onnx.ModelProto:
    """Give the network without the values of its matrices and kernels: all fit into a few megabytes."""
    model = build(name)
    for tensor in model.graph.initializer:
        if len(tensor.dims) > 1:
            tensor.ClearField("raw_data")
    slim = onnx.ModelProto()
    slim.CopyFrom(model)
    return slim


def trainable(model: onnx.ModelProto) -> list[str]:
    operands = dict.fromkeys(("Conv", "ConvTranspose", "Gemm"), slice(1, None)) | {
        "BatchNormalization": slice(1, 3)
    }
    return [name for node in model.graph.node for name in node.input[operands.get(node.op_type, slice(0, 0))]]


def dims(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Give the shape of every weight and every value the model declares."""
    graph = model.graph
    declared = [*graph.input, *graph.value_info, *graph.output]
    return {tensor.name: tuple(tensor.dims) for tensor in graph.initializer} | {
        value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim) for value in declared
    }


def test_the_networks_and_their_order() -> None:
    assert list(CLASSIC) == list(PARAMETERS)[:9]
    assert list(TOPOLOGIES[: len(PARAMETERS)]) == CONVOLUTIONAL == list(PARAMETERS)


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_parameter_count_is_the_published_one(name: str) -> None:
    model = skeleton(name)
    assert sum(math.prod(dims(model)[weight]) for weight in trainable(model)) == PARAMETERS[name]


@pytest.mark.parametrize("name", GIGA_MULTIPLY_ADDS)
def test_multiply_adds_are_the_published_ones(name: str) -> None:
    model = skeleton(name)
    shapes = dims(model)
    total = sum(
        math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[1]][1:])
        for node in model.graph.node
        if node.op_type in ("Conv", "Gemm")
    )
    assert total / 1e9 == pytest.approx(GIGA_MULTIPLY_ADDS[name], abs=0.0006, rel=0.0004)


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_carried_shapes_are_the_inferred_ones(name: str) -> None:
    carried = skeleton(name)
    bare = onnx.ModelProto()
    bare.CopyFrom(carried)
    bare.graph.ClearField("value_info")
    for output in bare.graph.output:
        output.type.tensor_type.ClearField("shape")
    assert dims(carried) == dims(onnx.shape_inference.infer_shapes(bare, strict_mode=True))


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_the_inputs_are_those_that_are_told_without_building(name: str) -> None:
    model = skeleton(name)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    shapes = dims(model)
    told = [(end.name, end.shape) for end in inputs(name)]
    assert [(value.name, shapes[value.name]) for value in model.graph.input] == told


@pytest.mark.parametrize("name", [*CLASSIC, *LATER[:4]])
def test_input_and_output_of_a_classifier(name: str) -> None:
    model = skeleton(name)
    assert [value.name for value in model.graph.input] == ["data"]
    assert [value.name for value in model.graph.output] == ["output"]
    assert dims(model)["data"] == (1, 3, 224, 224)
    assert dims(model)["output"] == (1, 1000)


def test_a_detector_has_an_output_for_each_stride() -> None:
    model = skeleton("yolox_nano")
    shapes = dims(model)
    assert {value.name: shapes[value.name] for value in model.graph.output} == {
        "stride_8": (1, 85, 52, 52),
        "stride_16": (1, 85, 26, 26),
        "stride_32": (1, 85, 13, 13),
    }


def test_a_segmentation_is_as_large_as_its_image() -> None:
    assert dims(skeleton("unet"))["output"] == (1, 2, 256, 256)


def test_a_network_is_built_for_other_shapes() -> None:
    model = build("yolox_nano", input_shapes=[(2, 3, 320, 256)])
    shapes = dims(model)
    assert shapes["data"] == (2, 3, 320, 256)
    assert shapes["stride_32"] == (2, 85, 10, 8)
    # Neither shape nor batch changes what is stored.
    weights = [tensor.raw_data for tensor in model.graph.initializer if len(tensor.dims) == 4]
    own = build("yolox_nano").graph.initializer
    assert weights == [tensor.raw_data for tensor in own if len(tensor.dims) == 4]


@pytest.mark.parametrize(
    ("name", "shapes", "why"),
    [
        ("unet", [(1, 3, 256, 256)] * 2, "unet has 1 inputs, not 2"),
        ("unet", [(3, 256, 256)], r"the input data of unet is like \[1, 3, 256, 256\], not \[3, 256, 256\]"),
        ("unet", [(1, 3, 0, 256)], r"not \[1, 3, 0, 256\]"),
        ("unet", [(1, 3, 100, 100)], "cannot join"),
    ],
)
def test_shapes_that_a_network_cannot_have_are_refused(
    name: str, shapes: list[tuple[int, ...]], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        build(name, input_shapes=shapes)


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_no_stored_vector_is_constant_or_equal_to_another(name: str) -> None:
    graph = skeleton(name).graph
    drawn = {name for node in graph.node if node.op_type != "Resize" for name in node.input}
    floats = [tensor for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT]
    vectors = [
        tensor for tensor in floats if tensor.name in drawn and len(tensor.dims) == 1 and tensor.dims[0] > 1
    ]
    assert vectors
    assert [tensor.name for tensor in vectors if np.ptp(numpy_helper.to_array(tensor)) == 0] == []
    assert len({tensor.raw_data for tensor in vectors}) == len(vectors)


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_batch_norm_epsilon(name: str) -> None:
    found = {
        attribute.f
        for node in skeleton(name).graph.node
        for attribute in node.attribute
        if node.op_type == "BatchNormalization" and attribute.name == "epsilon"
    }
    without = name in ("vgg16", "alexnet", "squeezenet_1_1")
    large = name in ("googlenet", "mobilenet_v3_small", "mobilenet_v3_large", "yolox_nano")
    assert found == (set() if without else {np.float32(1e-3 if large else 1e-5)})


@pytest.mark.parametrize("name", SMALL)
def test_the_checker_accepts(name: str) -> None:
    onnx.checker.check_model(build(name), full_check=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CONVOLUTIONAL if name not in SMALL])
def test_the_checker_accepts_the_large_ones(name: str) -> None:
    onnx.checker.check_model(build(name), full_check=True)


@pytest.mark.parametrize("name", DIGESTS)
def test_the_bytes_stay(name: str) -> None:
    assert hashlib.sha256(build(name).SerializeToString()).hexdigest() == DIGESTS[name]


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
    [pytest.param(name, marks=[] if name in SMALL else [pytest.mark.slow]) for name in CONVOLUTIONAL],
)
def test_activations_neither_vanish_nor_explode(name: str) -> None:
    # A smaller picture tells as much, in a sixteenth of the time.
    (end,) = inputs(name, [(1, 3, 64, 64)] if name == "unet" else [])
    evaluator = evaluator_of(build(name, input_shapes=[end.shape]))
    random = np.random.default_rng(7)
    nodes = evaluator.proto_.graph.node
    gates = {node.name for node in nodes if node.op_type in ("Sigmoid", "HardSigmoid")}
    # What a gate is told from is the mean of a channel, which is close to 0.
    least = 0.1 if name in CLASSIC else 0.02
    outputs = []
    for _ in range(2):
        image = random.standard_normal(end.shape, dtype=np.float32)
        values = evaluator.run(None, {"data": image}, intermediate=True)
        assert isinstance(values, dict)
        activations = {node.name: values[node.output[0]] for node in nodes}
        assert {layer for layer, value in activations.items() if not np.isfinite(value).all()} == set()
        spread = {layer: value.std() for layer, value in activations.items() if layer not in gates}
        assert {layer for layer, deviation in spread.items() if not least < deviation < 15} == set()
        # Half precision ends at 65504.
        assert max(np.abs(value).max() for value in activations.values()) < 1000
        outputs.append([values[output.name] for output in evaluator.proto_.graph.output])
    for one, other in zip(*outputs, strict=True):
        assert np.std(one - other) > 0.005 * np.std(one)


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
    assert changed("builder.py") == changed("draft.py") == changed("window.py") == list(TOPOLOGIES)
    assert changed("resnet.py") == ["resnet18", "resnet50"]
    assert changed("vgg.py") == ["vgg16"]
    assert changed("squeeze_excitation.py") == ["mobilenet_v3_small", "mobilenet_v3_large", "efficientnet_b0"]


@pytest.mark.parametrize("name", ["vgg16", "efficientnet_b0", "gpt2_step"])
def test_source_digest_covers_all_that_building_imports(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What tells the topologies apart, and the digest itself, are no part of what is built."""
    program = (
        "import sys; from ncnn_peakmem.networks import build; build(sys.argv[1])\n"
        "print(*(name for name in sys.modules if name.startswith('ncnn_peakmem.networks.')))"
    )
    told = subprocess.run([sys.executable, "-c", program, name], capture_output=True, text=True, check=True)
    imported = {module.rpartition(".")[2] for module in told.stdout.split()} - {"topologies", "source"}
    covered: set[str] = set()
    read_bytes = Path.read_bytes

    def read_and_note(path: Path) -> bytes:
        covered.add(path.stem)
        return read_bytes(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", read_and_note)
        source_digest(name)
    assert covered == imported
