"""The operators that stand in for the reference evaluator's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from ncnn_peakmem.networks.builder import Builder
from ncnn_peakmem.networks.interface import Input
from tests.onnx_reference import evaluator_of


@pytest.mark.parametrize("size", [(9, 12), (10, 7)])
@pytest.mark.parametrize(
    ("kind", "kernel", "stride", "pad", "ceil"),
    [
        *(("MaxPool", 2, 2, 0, ceil) for ceil in (0, 1)),
        *(("MaxPool", 3, 2, 0, ceil) for ceil in (0, 1)),
        *(("MaxPool", 3, stride, 1, 0) for stride in (1, 2)),
        ("AveragePool", 2, 2, 0, 0),
    ],
)
def test_a_pool_is_the_references(
    kind: str, kernel: int, stride: int, pad: int, ceil: int, size: tuple[int, int]
) -> None:
    window: dict[str, Any] = {
        "kernel_shape": [kernel] * 2,
        "strides": [stride] * 2,
        "pads": [pad] * 4,
        "ceil_mode": ceil,
    }
    node = helper.make_node(kind, ["data"], ["output"], **window)
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("data", (1, 2, *size)), ("output", None))
    ]
    model = helper.make_model(
        helper.make_graph([node], "pool", ends[:1], ends[1:]), opset_imports=[helper.make_opsetid("", 17)]
    )
    # Below 0 throughout: a padding of zeros would be the largest.
    image = np.random.default_rng(0).random((1, 2, *size), np.float32) - 2

    (expected,) = map(np.asarray, ReferenceEvaluator(model).run(None, {"data": image}))
    (computed,) = map(np.asarray, evaluator_of(model).run(None, {"data": image}))

    np.testing.assert_allclose(computed, expected, rtol=1e-6)
    assert computed.dtype == expected.dtype


def test_a_transposed_convolution_is_the_references() -> None:
    net = Builder("transposed", 0, inputs=(Input(shape=(1, 3, 4, 5)),))
    model = net.model(net.transposed_conv(net.image, 2, kernel=3))
    image = np.random.default_rng(0).standard_normal((1, 3, 4, 5), np.float32)

    (expected,) = map(np.asarray, ReferenceEvaluator(model).run(None, {"data": image}))
    (computed,) = map(np.asarray, evaluator_of(model).run(None, {"data": image}))

    np.testing.assert_allclose(computed, expected, rtol=1e-5, atol=1e-6)
    assert computed.dtype == expected.dtype
