"""Each built-in network, converted: ncnn computes what ONNX says, and the sizes are the published ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ncnn_peakmem.conversion import Cache, convert
from ncnn_peakmem.network import BuiltIn, InputBlob, ModelFiles, Network
from ncnn_peakmem.networks import TOPOLOGIES

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

pytestmark = pytest.mark.slow


@pytest.fixture
def model(topology: str) -> ModelFiles:
    return convert(Network(topology, BuiltIn(topology)), Cache(), print)


def test_no_network_is_left_out() -> None:
    assert set(PUBLISHED_MIB) == set(TOPOLOGIES)


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
