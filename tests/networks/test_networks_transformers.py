"""The networks made of attention, by what attention and a KV cache promise."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from ncnn_peakmem import networks
from ncnn_peakmem.networks import gpt, transformer
from ncnn_peakmem.networks.builder import Builder
from ncnn_peakmem.networks.interface import Input

Array = npt.NDArray[Any]
NOT_AHEAD = np.triu(np.full((1, 1, 128, 128), -1e9, np.float32), k=1)


def run(model: onnx.ModelProto, values: dict[str, Array]) -> dict[str, Array]:
    names = [output.name for output in model.graph.output]
    return dict(zip(names, map(np.asarray, ReferenceEvaluator(model).run(None, values)), strict=True))


def drawn(*shape: int) -> Array:
    return np.random.default_rng(7).standard_normal(shape).astype(np.float32)


@pytest.fixture(scope="module")
def prompt() -> onnx.ModelProto:
    return networks.build("gpt2_prompt")


def test_attention_weighs_the_values_by_softmax_of_scaled_scores() -> None:
    shape = (1, 2, 5, 4)
    net = Builder("attention", 0, [Input(name, shape) for name in ("query", "key", "value")])
    query, key, value = net.inputs
    model = net.model(transformer.attention(net, query, key, value))
    values = {"query": drawn(*shape), "key": drawn(*shape) * 2, "value": drawn(*shape) - 1}

    scores = np.exp(values["query"] @ values["key"].swapaxes(2, 3) / 2)
    mixed = scores / scores.sum(axis=3, keepdims=True) @ values["value"]
    (output,) = run(model, values).values()

    np.testing.assert_allclose(output, mixed.swapaxes(1, 2).reshape(1, 5, 8), rtol=1e-5)


def test_a_masked_prompt_does_not_look_ahead(prompt: onnx.ModelProto) -> None:
    tokens = drawn(1, 128, 768)
    changed = tokens.copy()
    changed[:, 100:] += 1

    before = run(prompt, {"tokens": tokens, "mask": NOT_AHEAD})["output"]
    after = run(prompt, {"tokens": changed, "mask": NOT_AHEAD})["output"]

    np.testing.assert_array_equal(before[:, :100], after[:, :100])
    assert not np.allclose(before[:, 100:], after[:, 100:])


def test_a_step_with_the_cache_is_the_last_row_of_the_whole_prompt(prompt: onnx.ModelProto) -> None:
    tokens = drawn(1, 128, 768)
    whole = run(prompt, {"tokens": tokens, "mask": NOT_AHEAD})
    # Weights are drawn by the network's name, and here both have to be the same network.
    net = Builder("gpt2_prompt", 0, networks.inputs("gpt2_step"))
    step = net.model(gpt.gpt2_step(net))
    cached = {f"past_{name}": whole[name][:, :, :127] for name in whole if name != "output"}

    after = run(step, {"tokens": tokens[:, 127:]} | cached)

    np.testing.assert_allclose(after["output"], whole["output"][:, 127:], atol=1e-4)
    for name in whole.keys() - {"output"}:
        np.testing.assert_allclose(after[name], whole[name], atol=1e-4)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        # timm's deit_tiny_patch16_224 has 5,717,416; 7,087,872 is what one block of GPT-2 small has.
        ("vit_tiny", 5_717_416),
        ("gpt2_prompt", 2 * 7_087_872 + 2 * 768),
        ("gpt2_step", 2 * 7_087_872 + 2 * 768),
    ],
)
def test_there_are_as_many_parameters_as_published(name: str, parameters: int) -> None:
    tensors = map(numpy_helper.to_array, networks.build(name).graph.initializer)
    # Numbers alone, and sizes that a Reshape or a Slice is told, are no parameters.
    assert sum(array.size for array in tensors if array.dtype == np.float32 and array.ndim) == parameters


def test_the_activations_of_the_vision_transformer_stay_of_one_scale() -> None:
    model = networks.build("vit_tiny")
    sums = [node.output[0] for node in model.graph.node if node.op_type == "Add"]
    model.graph.output.append(onnx.helper.make_tensor_value_info(sums[-1], onnx.TensorProto.FLOAT, None))

    deepest = run(model, {"data": drawn(1, 3, 224, 224)})[sums[-1]]

    assert 0.3 < deepest.std() < 10
