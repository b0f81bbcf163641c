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
from ncnn_peakmem.networks.interface import Input

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
    "transposed_conv": lambda net, x: net.transposed_conv(x, 5, kernel=3),
    "channel_means": lambda net, x: net.channel_means(x),
    "multiply": lambda net, x: net.multiply(x, net.sigmoid(net.channel_means(x))),
    "scale": lambda net, x: net.scale(x, 0.5),
    "project": lambda net, x: net.project(x, 7),
    "matmul": lambda net, x: net.matmul(x, net.transpose(x, [0, 1, 3, 2])),
    "layer_norm": lambda net, x: net.layer_norm(x),
    "concat rows": lambda net, x: net.concat([x, net.relu(x)], axis=2),
    "split": lambda net, x: net.concat(net.split(x, [3, 5, 2], axis=3)[::-1], axis=3),
    "crop": lambda net, x: net.crop(x, axis=2, start=3, end=9),
    "reshape": lambda net, x: net.reshape(x, (1, 4, 26, 10)),
    "transpose": lambda net, x: net.transpose(x, [0, 2, 3, 1]),
    "pixel_unshuffle": lambda net, x: net.pixel_unshuffle(net.crop(x, 2, 0, 12), 2),
    "upsample": lambda net, x: net.upsample(x),
    "hard_sigmoid": lambda net, x: net.hard_sigmoid(x),
    "hard_swish": lambda net, x: net.hard_swish(x),
    "swish": lambda net, x: net.swish(x),
    "gelu": lambda net, x: net.gelu(x),
    "softmax": lambda net, x: net.softmax(x, axis=1),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_carried_shape_is_the_computed_one(operation: str) -> None:
    net = Builder("operation", 0, inputs=(Input(shape=(1, 8, 13, 10)),))
    output = OPERATIONS[operation](net, net.image)
    model = net.model(output)
    onnx.checker.check_model(model, full_check=True)
    assert evaluate(model, np.ones(net.image.shape, np.float32)).shape == output.shape


def channel_numbers(channels: int) -> Array:
    return np.arange(channels, dtype=np.float32).reshape(1, channels, 1, 1)


def test_channel_shuffle_interleaves_the_groups() -> None:
    net = Builder("shuffle", 0, inputs=(Input(shape=(1, 6, 1, 1)),))
    model = net.model(net.channel_shuffle(net.image, groups=2))
    assert evaluate(model, channel_numbers(6)).ravel().tolist() == [0, 3, 1, 4, 2, 5]


def test_halve_gives_the_first_and_the_second_half() -> None:
    net = Builder("halve", 0, inputs=(Input(shape=(1, 6, 1, 1)),))
    first, second = net.halve(net.image)
    assert first.shape == second.shape == (1, 3, 1, 1)
    model = net.model(net.concat([second, first]))
    assert evaluate(model, channel_numbers(6)).ravel().tolist() == [3, 4, 5, 0, 1, 2]


def test_relu6_clips_at_both_ends() -> None:
    net = Builder("relu6", 0, inputs=(Input(shape=(1, 3, 1, 1)),))
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
    net = Builder("weights", 0, inputs=(Input(shape=(1, 64, 1, 1)),))
    weight = parameters(net.model(draw(net)))["weight"]
    assert weight.dtype == np.float32
    assert weight.std() == pytest.approx(math.sqrt(2 / fan_in), rel=0.05)
    assert weight.mean() == pytest.approx(0, abs=0.1 * math.sqrt(2 / fan_in))


def test_batch_norm_statistics_scatter_around_their_centres() -> None:
    net = Builder("statistics", 0, inputs=(Input(shape=(1, 256, 1, 1)),))
    statistics = parameters(net.model(net.batch_norm(net.image, gamma=0.25)))
    assert {role: values.mean() for role, values in statistics.items()} == pytest.approx(
        {"weight": 0.25, "bias": 0, "mean": 0, "var": 1}, abs=0.02
    )
    assert all(values.dtype == np.float32 and values.std() > 0.01 for values in statistics.values())
    assert min(statistics["var"]) > 0.5


def test_batch_norm_uses_its_statistics_in_order() -> None:
    net = Builder("normalize", 0, inputs=(Input(shape=(1, 4, 1, 1)),))
    model = net.model(net.batch_norm(net.image, gamma=0.5, epsilon=0.25))
    scale, shift, mean, var = parameters(model).values()
    expected = scale * (2 - mean) / np.sqrt(var + 0.25) + shift
    assert evaluate(model, np.full(net.image.shape, 2, np.float32)).ravel() == pytest.approx(
        expected, rel=1e-5
    )


def test_no_two_drawn_vectors_are_equal() -> None:
    net = Builder("distinct", 0, inputs=(Input(shape=(1, 16, 4, 4)),))
    x = net.image
    for _ in range(3):
        x = net.conv(net.batch_norm(x), 16, kernel=1)
    drawn = [tensor.raw_data for tensor in net.model(x).graph.initializer]
    assert len(set(drawn)) == len(drawn)


def test_weights_do_not_depend_on_hash_randomization() -> None:
    program = (
        "from hashlib import sha256; from ncnn_peakmem.networks.builder import Builder\n"
        "from ncnn_peakmem.networks.interface import Input\n"
        "net = Builder('stable', 0, [Input(shape=(1, 8, 4, 4))])\n"
        "model = net.model(net.conv(net.image, 8, 3))\n"
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
    net = Builder("refused", 0, inputs=(Input(shape=(1, 4, 8, 8)),))
    pooled = net.max_pool(net.image, kernel=2, stride=2)
    with pytest.raises(ValueError, match="cannot add"):
        net.add(net.image, pooled)


SAMPLES = np.array([-4, -2, -0.5, 0, 1, 4], np.float32)


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        (lambda net, x: net.sigmoid(x), 1 / (1 + np.exp(-SAMPLES))),
        (lambda net, x: net.hard_sigmoid(x), np.clip(SAMPLES + 3, 0, 6) / 6),
        (lambda net, x: net.swish(x), SAMPLES / (1 + np.exp(-SAMPLES))),
        (lambda net, x: net.hard_swish(x), SAMPLES * np.clip(SAMPLES + 3, 0, 6) / 6),
        (lambda net, x: net.gelu(x), [x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in SAMPLES.tolist()]),
        (lambda net, x: net.softmax(x, axis=1), np.exp(SAMPLES) / np.exp(SAMPLES).sum()),
    ],
    ids=["sigmoid", "hard_sigmoid", "swish", "hard_swish", "gelu", "softmax"],
)
def test_an_activation_computes_what_its_papers_say(
    activation: Callable[[Builder, Tensor], Tensor], expected: Array
) -> None:
    net = Builder("activation", 0, inputs=(Input(shape=(1, 6, 1, 1)),))
    model = net.model(activation(net, net.image))
    assert evaluate(model, SAMPLES.reshape(1, 6, 1, 1)).ravel() == pytest.approx(expected, abs=1e-6)


def test_multiply_repeats_a_gate_over_its_channel() -> None:
    net = Builder("gate", 0, inputs=(Input("data", (1, 2, 2, 2)), Input("gate", (1, 2, 1, 1))))
    model = net.model(net.multiply(*net.inputs))
    gate = np.array([2, 5], np.float32).reshape(1, 2, 1, 1)
    (output,) = ReferenceEvaluator(model).run(None, {"data": np.ones((1, 2, 2, 2), np.float32), "gate": gate})
    assert np.asarray(output).ravel().tolist() == [2] * 4 + [5] * 4


def test_pixel_unshuffle_puts_the_pixels_of_a_channel_beside_each_other() -> None:
    net = Builder("unshuffle", 0, inputs=(Input(shape=(1, 2, 2, 2)),))
    model = net.model(net.pixel_unshuffle(net.image, 2))
    image = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)
    assert evaluate(model, image).ravel().tolist() == list(range(8))


def test_upsample_repeats_each_pixel() -> None:
    net = Builder("upsample", 0, inputs=(Input(shape=(1, 1, 1, 2)),))
    model = net.model(net.upsample(net.image))
    image = np.array([3, 7], np.float32).reshape(1, 1, 1, 2)
    assert evaluate(model, image).squeeze().tolist() == [[3, 3, 7, 7]] * 2


def test_a_transposed_convolution_keeps_the_variance_of_a_rectified_input() -> None:
    net = Builder("transposed", 0, inputs=(Input(shape=(1, 512, 4, 4)),))
    model = net.model(net.transposed_conv(net.image, 64, kernel=2))
    image = np.maximum(np.random.default_rng(7).standard_normal((1, 512, 4, 4), dtype=np.float32), 0)
    assert evaluate(model, image).std() == pytest.approx(1, rel=0.1)


def test_crop_takes_what_lies_between_its_ends() -> None:
    net = Builder("crop", 0, inputs=(Input(shape=(1, 6, 1, 1)),))
    model = net.model(net.crop(net.image, axis=1, start=2, end=5))
    assert evaluate(model, channel_numbers(6)).ravel().tolist() == [2, 3, 4]


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        (lambda net, x: net.concat([x, net.max_pool(x, 2, 2)]), "cannot join"),
        (lambda net, x: net.multiply(x, net.max_pool(x, 2, 2)), "cannot multiply"),
        (lambda net, x: net.matmul(x, net.crop(x, 2, 0, 4)), "cannot multiply"),
        (lambda net, x: net.split(x, [2, 3]), "cannot split"),
        (lambda net, x: net.crop(x, 1, 2, 5), "cannot take 2 to 5"),
        (lambda net, x: net.reshape(x, (1, 4, 63)), "cannot reshape"),
        (lambda net, x: net.pixel_unshuffle(x, 3), "cannot cut"),
    ],
    ids=["concat", "multiply", "matmul", "split", "crop", "reshape", "pixel_unshuffle"],
)
def test_shapes_that_do_not_fit_are_refused(refused: Callable[[Builder, Tensor], object], why: str) -> None:
    net = Builder("refused", 0, inputs=(Input(shape=(1, 4, 8, 8)),))
    with pytest.raises(ValueError, match=why):
        refused(net, net.image)


def test_a_model_has_its_inputs_and_outputs_under_their_names() -> None:
    net = Builder("ends", 0, inputs=(Input("left", (1, 4)), Input("right", (1, 4))))
    left, right = net.inputs
    total = net.add(left, right)
    model = net.model({"sum": total, "rectified": net.relu(total)})

    onnx.checker.check_model(model, full_check=True)
    assert [value.name for value in model.graph.input] == ["left", "right"]
    one = np.ones((1, 4), np.float32)
    # The rectified one reads the other output, whose new name it has to know.
    found = ReferenceEvaluator(model).run(["sum", "rectified"], {"left": one, "right": -3 * one})
    assert [np.asarray(value).tolist() for value in found] == [[[-2] * 4], [[0] * 4]]


def test_model_refuses_a_result_that_nothing_reads() -> None:
    net = Builder("refused", 0, inputs=(Input(shape=(1, 4, 8, 8)),))
    first = net.relu(net.image)
    net.relu(first)
    with pytest.raises(ValueError, match=r"nothing reads Relu_1\.0"):
        net.model(first)


def test_model_refuses_an_output_that_is_no_result() -> None:
    net = Builder("refused", 0, inputs=(Input(shape=(1, 4, 8, 8)),))
    net.relu(net.image)
    with pytest.raises(ValueError, match="no operation's result"):
        net.model(net.image)
