"""Each built-in network, converted: ncnn computes what ONNX says, and the sizes are the published ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ncnn_peakmem import param_file
from ncnn_peakmem.conversion import Cache, convert
from ncnn_peakmem.network import BuiltIn, InputBlob, ModelFiles, Network, Shape
from ncnn_peakmem.networks import CLASSIC

Array = npt.NDArray[np.float32]

PUBLISHED_MIB = {
    "vgg16": 527,
    "alexnet": 233,
    "googlenet": 25.2,
    "resnet18": 44.5,
    "resnet50": 97.4,
    "densenet161": 110,
    "shufflenet_v2": 8.67,
    "mobilenet_v1": 16.1,
    "mobilenet_v2": 13.5,
}

# What ncnn gives them: the shape of the input, and the sizes of the outputs.
LATER: dict[str, tuple[Shape, list[int]]] = {
    "squeezenet_1_1": ((3, 224, 224), [1000]),
    "mobilenet_v3_small": ((3, 224, 224), [1000]),
    "mobilenet_v3_large": ((3, 224, 224), [1000]),
    "efficientnet_b0": ((3, 224, 224), [1000]),
    "yolox_nano": ((3, 416, 416), [85 * side**2 for side in (52, 26, 13)]),
    "unet": ((3, 256, 256), [2 * 256**2]),
}
# How ncnn runs what is in none of the nine; a Sigmoid is where pnnx made no Swish (see networks/yolox.py).
LAYERS = {
    "squeezenet_1_1": {},
    "mobilenet_v3_small": {"HardSwish": 19, "HardSigmoid": 9},
    "mobilenet_v3_large": {"HardSwish": 21, "HardSigmoid": 8},
    "efficientnet_b0": {"Swish": 49},
    "yolox_nano": {"Swish": 97, "Sigmoid": 7, "Interp": 2, "Reorg": 1},
    "unet": {"Deconvolution": 4},
}
FAMILIAR = {"BinaryOp", "Concat", "Convolution", "ConvolutionDepthWise", "InnerProduct", "Input", "Pooling"}

pytestmark = pytest.mark.slow


@pytest.fixture
def model(topology: str) -> ModelFiles:
    return convert(Network(topology, BuiltIn(topology)), Cache(), print)


def test_no_classic_network_is_left_out() -> None:
    assert set(PUBLISHED_MIB) == set(CLASSIC)


@pytest.mark.parametrize("topology", PUBLISHED_MIB)
def test_ncnn_computes_what_onnx_says(
    model: ModelFiles,
    run_ncnn: Callable[[ModelFiles, Sequence[Array]], list[Array]],
    reference: Callable[[Path, Sequence[Array]], list[Array]],
    cosine: Callable[[Array, Array], float],
) -> None:
    assert model.inputs == (InputBlob("in0", (3, 224, 224)),)
    image = np.random.default_rng(0).random((3, 224, 224), np.float32)
    (expected,) = reference(model.param.with_name("net.onnx"), [image[np.newaxis]])
    (computed,) = run_ncnn(model, [image])
    assert computed.shape == expected.shape == (1000,)
    assert cosine(computed, expected) >= 0.9999


@pytest.mark.parametrize("topology", PUBLISHED_MIB)
def test_the_simplified_model_has_the_published_size(topology: str, model: ModelFiles) -> None:
    size = model.param.with_name("net.onnx").stat().st_size / 2**20
    assert size == pytest.approx(PUBLISHED_MIB[topology], rel=0.015)


@pytest.mark.parametrize("topology", LATER)
def test_ncnn_computes_what_onnx_says_of_later_networks(
    topology: str,
    model: ModelFiles,
    run_ncnn: Callable[[ModelFiles, Sequence[Array]], list[Array]],
    reference: Callable[[Path, Sequence[Array]], list[Array]],
    cosine: Callable[[Array, Array], float],
) -> None:
    shape, sizes = LATER[topology]
    assert model.inputs == (InputBlob("in0", shape),)
    image = np.random.default_rng(0).random(shape, np.float32)
    expected = reference(model.param.with_name("net.onnx"), [image[np.newaxis]])
    computed = run_ncnn(model, [image])
    assert [value.size for value in computed] == [value.size for value in expected] == sizes
    assert all(cosine(one, other) >= 0.9999 for one, other in zip(computed, expected, strict=True))


@pytest.mark.parametrize("topology", LATER)
def test_each_operation_of_later_networks_is_one_layer(topology: str, model: ModelFiles) -> None:
    counted = Counter(layer.type for layer in param_file.read(model.param).layers)
    assert {name: count for name, count in counted.items() if name not in FAMILIAR | {"Split"}} == LAYERS[
        topology
    ]
