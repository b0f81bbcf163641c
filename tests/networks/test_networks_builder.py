import math
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from ncnn_peakmem.networks.builder import Builder, Tensor

Array = npt.NDArray[Any]


def evaluate(model: onnx.ModelProto, image: Array) -> Array:
    (output,) = ReferenceEvaluator(model).run(None, {"data": image})
    return np.asarray(output)


def parameters(model: onnx.ModelProto) -> dict[str, Array]:
    return {tensor.name.split(".")[-1]: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


OPERATIONS: dict[str, Callable[[Builder, Tensor], Tensor]] = {
    "conv": lambda net, x: net.conv(x, 5, kernel=3),
    "conv pointwise": lambda net, x: net.conv(x, 5, kernel=1),
    "conv stride": lambda net, x: net.conv(x, 5, kernel=3, stride=2),
    "conv padding": lambda net, x: net.conv(x, 5, kernel=7, stride=4, padding=2),
    "conv unpadded": lambda net, x: net.conv(x, 5, kernel=3, padding=0),
    "conv groups": lambda net, x: net.conv(x, 8, kernel=3, groups=4),
    "conv depthwise": lambda net, x: net.conv(x, 8, kernel=3, groups=8, bias=False),
    "conv_bn": lambda net, x: net.conv_bn(x, 6, kernel=5, stride=2, groups=2),
    "relu": lambda net, x: net.relu(x),
    "relu6": lambda net, x: net.relu6(x),
    "max_pool floor": lambda net, x: net.max_pool(x, kernel=3, stride=2),
    "max_pool ceil": lambda net, x: net.max_pool(x, kernel=2, stride=2, ceil=True),
    "max_pool padding": lambda net, x: net.max_pool(x, kernel=3, stride=2, padding=1),
    "average_pool": lambda net, x: net.average_pool(x, kernel=2, stride=2),
    "global_average_pool": lambda net, x: net.global_average_pool(x),
    "flatten": lambda net, x: net.flatten(x),
    "dense": lambda net, x: net.dense(net.flatten(x), 7),
    "add": lambda net, x: net.add(x, net.relu(x)),
    "concat": lambda net, x: net.concat([x, net.conv(x, 3, kernel=1), x]),
    "channel_shuffle": lambda net, x: net.channel_shuffle(x, groups=4),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_carried_shape_is_the_computed_one(operation: str) -> None:
    net = Builder("operation", 0, input_shape=(1, 8, 13, 10))
    output = OPERATIONS[operation](net, net.image)
    model = net.model(output)
    onnx.checker.check_model(model, full_check=True)
    assert evaluate(model, np.ones(net.image.shape, np.float32)).shape == output.shape


def channel_numbers(channels: int) -> Array:
    return np.arange(channels, dtype=np.float32).reshape(1, channels, 1, 1)


def test_channel_shuffle_interleaves_the_groups() -> None:
    net = Builder("shuffle", 0, input_shape=(1, 6, 1, 1))
    model = net.model(net.channel_shuffle(net.image, groups=2))
    assert evaluate(model, channel_numbers(6)).ravel().tolist() == [0, 3, 1, 4, 2, 5]


def test_halve_gives_the_first_and_the_second_half() -> None:
    net = Builder("halve", 0, input_shape=(1, 6, 1, 1))
    first, second = net.halve(net.image)
    assert first.shape == second.shape == (1, 3, 1, 1)
    model = net.model(net.concat([second, first]))
    assert evaluate(model, channel_numbers(6)).ravel().tolist() == [3, 4, 5, 0, 1, 2]


def test_relu6_clips_at_both_ends() -> None:
    net = Builder("relu6", 0, input_shape=(1, 3, 1, 1))
    model = net.model(net.relu6(net.image))
    image = np.array([-1, 3, 9], np.float32).reshape(1, 3, 1, 1)
    assert evaluate(model, image).ravel().tolist() == [0, 3, 6]


@pytest.mark.parametrize(
    ("draw", "fan_in"),
    [
        (lambda net: net.conv(net.image, 64, kernel=3), 64 * 9),
        (lambda net: net.conv(net.image, 64, kernel=5, groups=4), 16 * 25),
        (lambda net: net.conv(net.image, 512, kernel=3, groups=64), 9),
        (lambda net: net.dense(net.flatten(net.image), 512), 64),
    ],
    ids=["conv", "grouped", "depthwise", "dense"],
)
def test_weights_are_scaled_to_their_fan_in(draw: Callable[[Builder], Tensor], fan_in: int) -> None:
    net = Builder("weights", 0, input_shape=(1, 64, 1, 1))
    weight = parameters(net.model(draw(net)))["weight"]
    assert weight.dtype == np.float32
    assert weight.std() == pytest.approx(math.sqrt(2 / fan_in), rel=0.05)
    assert weight.mean() == pytest.approx(0, abs=0.1 * math.sqrt(2 / fan_in))


def test_batch_norm_statistics_scatter_around_their_centres() -> None:
    net = Builder("statistics", 0, input_shape=(1, 256, 1, 1))
    statistics = parameters(net.model(net.batch_norm(net.image, gamma=0.25)))
    assert {role: values.mean() for role, values in statistics.items()} == pytest.approx(
        {"weight": 0.25, "bias": 0, "mean": 0, "var": 1}, abs=0.02
    )
    assert all(values.dtype == np.float32 and values.std() > 0.01 for values in statistics.values())
    assert min(statistics["var"]) > 0.5


def test_batch_norm_uses_its_statistics_in_order() -> None:
    net = Builder("normalize", 0, input_shape=(1, 4, 1, 1))
    model = net.model(net.batch_norm(net.image, gamma=0.5, epsilon=0.25))
    scale, shift, mean, var = parameters(model).values()
    expected = scale * (2 - mean) / np.sqrt(var + 0.25) + shift
    assert evaluate(model, np.full(net.image.shape, 2, np.float32)).ravel() == pytest.approx(
        expected, rel=1e-5
    )


def test_no_two_drawn_vectors_are_equal() -> None:
    net = Builder("distinct", 0, input_shape=(1, 16, 4, 4))
    x = net.image
    for _ in range(3):
        x = net.conv(net.batch_norm(x), 16, kernel=1)
    drawn = [tensor.raw_data for tensor in net.model(x).graph.initializer]
    assert len(set(drawn)) == len(drawn)


def test_weights_do_not_depend_on_hash_randomization() -> None:
    program = (
        "from hashlib import sha256; from ncnn_peakmem.networks.builder import Builder\n"
        "net = Builder('stable', 0, (1, 8, 4, 4)); model = net.model(net.conv(net.image, 8, 3))\n"
        "print(sha256(model.SerializeToString()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(digests) == 1


def test_add_refuses_different_shapes() -> None:
    net = Builder("refused", 0, input_shape=(1, 4, 8, 8))
    pooled = net.max_pool(net.image, kernel=2, stride=2)
    with pytest.raises(ValueError, match="cannot add"):
        net.add(net.image, pooled)


def test_model_refuses_an_output_that_is_not_the_last() -> None:
    net = Builder("refused", 0, input_shape=(1, 4, 8, 8))
    first = net.relu(net.image)
    net.relu(first)
    with pytest.raises(ValueError, match="not the last"):
        net.model(first)
