"""A small builder of convolutional ONNX networks with seeded random weights."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto, ValueInfoProto, helper

from ncnn_peakmem.networks.interface import INPUT_NAME, INPUT_SHAPE, OUTPUT_NAME

# onnx.reference computes BatchNormalization wrongly at opset 13, rightly at 17.
_OPSET = 17
_IR_VERSION = 8
_JITTER = 0.1

_Values = npt.NDArray[Any] | np.float32


@dataclass(frozen=True)
class Tensor:
    """A float32 value of the graph: its name and its shape, batch first."""

    name: str
    shape: tuple[int, ...]

    @property
    def channels(self) -> int:
        """The size of the axis after the batch."""
        return self.shape[1]


@dataclass(frozen=True)
class _Window:
    """A square window sliding over the spatial axes; with `ceil` a last, partly filled one counts too."""

    kernel: int
    stride: int
    padding: int = 0
    ceil: bool = False

    @property
    def attributes(self) -> dict[str, Any]:
        return {"kernel_shape": [self.kernel] * 2, "strides": [self.stride] * 2, "pads": [self.padding] * 4}

    def counts(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        rounded = math.ceil if self.ceil else math.floor
        return tuple(rounded((size + 2 * self.padding - self.kernel) / self.stride) + 1 for size in sizes)


class Builder:
    """Collects the nodes and weights of one network; each operation returns its output's handle.

    Kernels, strides and paddings are square and given as one number. Weights are drawn in the order of the
    calls from one generator seeded with the network's name and the seed, so equal calls give equal bytes.
    """

    def __init__(self, name: str, seed: int, input_shape: tuple[int, ...] = INPUT_SHAPE) -> None:
        entropy = hashlib.sha256(f"{name}:{seed}".encode()).digest()
        self._rng = np.random.Generator(np.random.PCG64(int.from_bytes(entropy)))
        self.image = Tensor(INPUT_NAME, input_shape)
        # Weights go straight into the model: appending finished tensors to a graph, or a graph to a model,
        # would copy VGG16's half gigabyte each time.
        graph = helper.make_graph([], name, [_value_info(self.image)], [])
        self._model = helper.make_model(
            graph,
            producer_name="ncnn-peakmem",
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
        )
        self._graph = self._model.graph

    def conv(
        self,
        x: Tensor,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int | None = None,
        groups: int = 1,
        bias: bool = True,
    ) -> Tensor:
        """Convolve to `channels`; without `padding` an odd kernel keeps the size at stride 1."""
        window = _Window(kernel, stride, kernel // 2 if padding is None else padding)
        parameters = {"weight": self._weight(channels, x.channels // groups, kernel, kernel)}
        if bias:
            parameters["bias"] = self._near(0.0, channels)
        shape = (x.shape[0], channels, *window.counts(x.shape[2:]))
        return self._node("Conv", [x], shape, parameters, group=groups, **window.attributes)

    def batch_norm(self, x: Tensor, *, gamma: float = 1.0, epsilon: float = 1e-5) -> Tensor:
        """Normalize with fixed statistics: scale near `gamma`, shift and mean near 0, variance near 1."""
        centres = {"weight": gamma, "bias": 0.0, "mean": 0.0, "var": 1.0}
        parameters = {role: self._near(centre, x.channels) for role, centre in centres.items()}
        return self._node("BatchNormalization", [x], x.shape, parameters, epsilon=epsilon)

    def conv_bn(
        self,
        x: Tensor,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        gamma: float = 1.0,
        epsilon: float = 1e-5,
    ) -> Tensor:
        """Convolve without bias, then normalize."""
        x = self.conv(x, channels, kernel, stride=stride, groups=groups, bias=False)
        return self.batch_norm(x, gamma=gamma, epsilon=epsilon)

    def relu(self, x: Tensor) -> Tensor:
        """max(x, 0)."""
        return self._node("Relu", [x], x.shape)

    def relu6(self, x: Tensor) -> Tensor:
        """min(max(x, 0), 6)."""
        return self._node("Clip", [x], x.shape, {"min": np.float32(0), "max": np.float32(6)})

    def max_pool(
        self, x: Tensor, kernel: int, stride: int, *, padding: int = 0, ceil: bool = False
    ) -> Tensor:
        """Take each window's maximum; with `ceil` a last, partly filled window counts too."""
        window = _Window(kernel, stride, padding, ceil)
        shape = (*x.shape[:2], *window.counts(x.shape[2:]))
        return self._node("MaxPool", [x], shape, ceil_mode=int(ceil), **window.attributes)

    def average_pool(self, x: Tensor, kernel: int, stride: int) -> Tensor:
        """Take each window's mean, without padding."""
        window = _Window(kernel, stride)
        shape = (*x.shape[:2], *window.counts(x.shape[2:]))
        return self._node("AveragePool", [x], shape, **window.attributes)

    def global_average_pool(self, x: Tensor) -> Tensor:
        """Take each channel's mean and drop the spatial axes."""
        return self.flatten(self._node("GlobalAveragePool", [x], (*x.shape[:2], 1, 1)))

    def flatten(self, x: Tensor) -> Tensor:
        """Keep the batch axis and join all others."""
        return self._node("Flatten", [x], (x.shape[0], math.prod(x.shape[1:])), axis=1)

    def dense(self, x: Tensor, features: int) -> Tensor:
        """Multiply a flat tensor by a [features, inputs] matrix and add a bias."""
        parameters = {"weight": self._weight(features, x.channels), "bias": self._near(0.0, features)}
        return self._node("Gemm", [x], (x.shape[0], features), parameters, transB=1)

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        """Sum two tensors of one shape."""
        if x.shape != y.shape:
            raise ValueError(f"cannot add {x} and {y}")
        return self._node("Add", [x, y], x.shape)

    def concat(self, parts: Sequence[Tensor]) -> Tensor:
        """Join tensors along their channels."""
        batch, _, *sizes = parts[0].shape
        return self._node("Concat", parts, (batch, sum(part.channels for part in parts), *sizes), axis=1)

    def halve(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Split the channels into a first and a second half."""
        half = (x.shape[0], x.channels // 2, *x.shape[2:])
        # Sizes that ONNX would derive by itself are lost on the way to ncnn, whose Slice then crashes.
        sizes = np.array([half[1], half[1]], np.int64)
        first, second = self._emit("Split", [x], [half, half], {"split": sizes}, axis=1)
        return first, second

    def channel_shuffle(self, x: Tensor, groups: int) -> Tensor:
        """Interleave the channels of `groups` equal groups."""
        batch, channels, *sizes = x.shape
        grouped = self._reshape(x, (batch, groups, channels // groups, *sizes))
        swapped = (batch, channels // groups, groups, *sizes)
        return self._reshape(self._node("Transpose", [grouped], swapped, perm=[0, 2, 1, 3, 4]), x.shape)

    def model(self, output: Tensor) -> ModelProto:
        """Close the graph at `output`, the last operation's result, and give the model."""
        last = self._graph.node[-1]
        if list(last.output) != [output.name]:
            raise ValueError(f"{output} is not the last operation's result")
        last.output[0] = OUTPUT_NAME
        self._graph.value_info.pop()
        self._graph.output.append(_value_info(Tensor(OUTPUT_NAME, output.shape)))
        return self._model

    def _reshape(self, x: Tensor, shape: tuple[int, ...]) -> Tensor:
        return self._node("Reshape", [x], shape, {"shape": np.array(shape, np.int64)})

    def _node(
        self,
        operator: str,
        inputs: Sequence[Tensor],
        shape: tuple[int, ...],
        parameters: Mapping[str, _Values] = MappingProxyType({}),
        **attributes: Any,
    ) -> Tensor:
        (output,) = self._emit(operator, inputs, [shape], parameters, **attributes)
        return output

    def _emit(
        self,
        operator: str,
        inputs: Sequence[Tensor],
        shapes: Sequence[tuple[int, ...]],
        parameters: Mapping[str, _Values] = MappingProxyType({}),
        **attributes: Any,
    ) -> list[Tensor]:
        layer = f"{operator}_{len(self._graph.node)}"
        constants = [self._constant(f"{layer}.{role}", values) for role, values in parameters.items()]
        outputs = [Tensor(f"{layer}.{index}", shape) for index, shape in enumerate(shapes)]
        self._graph.node.append(
            helper.make_node(
                operator,
                [*(value.name for value in inputs), *constants],
                [value.name for value in outputs],
                name=layer,
                **attributes,
            )
        )
        self._graph.value_info.extend(_value_info(value) for value in outputs)
        return outputs

    def _constant(self, name: str, values: _Values) -> str:
        self._graph.initializer.add(
            name=name,
            data_type=helper.np_dtype_to_tensor_dtype(values.dtype),
            dims=values.shape,
            raw_data=values.tobytes(),
        )
        return name

    def _weight(self, *shape: int) -> _Values:
        """Draw for a rectified input (He et al. 2015, arXiv:1502.01852, eq. 10: variance 2 / fan-in)."""
        values = self._rng.standard_normal(shape, dtype=np.float32)
        values *= math.sqrt(2 / math.prod(shape[1:]))
        return values

    def _near(self, centre: float, count: int) -> _Values:
        # onnxsim merges equal vectors, which would change what is stored: no two may be equal.
        return self._rng.uniform(centre - _JITTER, centre + _JITTER, count).astype(np.float32)


def _value_info(value: Tensor) -> ValueInfoProto:
    return helper.make_tensor_value_info(value.name, TensorProto.FLOAT, value.shape)
