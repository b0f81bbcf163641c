"""An ONNX network while it is laid out: its inputs, its nodes, and its weights with seeded random values."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto, ValueInfoProto, helper

from ncnn_peakmem.networks.interface import OUTPUT_NAME, Input

# onnx.reference computes BatchNormalization wrongly at opset 13, rightly at 17.
_OPSET = 17
_IR_VERSION = 8
_JITTER = 0.1

Values = npt.NDArray[Any] | np.float32
"""What a node's constant holds."""


@dataclass(frozen=True)
class Tensor:
    """A float32 value of the graph: its name and its shape, batch first."""

    name: str
    shape: tuple[int, ...]

    @property
    def channels(self) -> int:
        """The size of the axis after the batch."""
        return self.shape[1]


class Draft:
    """Collects the nodes and weights of one network; each operation returns its output's handle.

    Weights are drawn in the order of the calls from one generator seeded with the network's name and the
    seed, so equal calls give equal bytes.
    """

    def __init__(self, name: str, seed: int, inputs: Sequence[Input] = (Input(),)) -> None:
        entropy = hashlib.sha256(f"{name}:{seed}".encode()).digest()
        self._rng = np.random.Generator(np.random.PCG64(int.from_bytes(entropy)))
        self.inputs = tuple(Tensor(end.name, end.shape) for end in inputs)
        # Weights go straight into the model: appending finished tensors to a graph, or a graph to a model,
        # would copy VGG16's half gigabyte each time.
        graph = helper.make_graph([], name, [_value_info(end) for end in self.inputs], [])
        self._model = helper.make_model(
            graph,
            producer_name="ncnn-peakmem",
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
        )
        self._graph = self._model.graph

    @property
    def image(self) -> Tensor:
        """The input of a network that has but one."""
        (image,) = self.inputs
        return image

    def model(self, outputs: Tensor | Mapping[str, Tensor]) -> ModelProto:
        """Close the graph at its outputs, given by name if there are several, and give the model.

        Raises ValueError if an output is no operation's result, or a result is neither read nor an output.
        """
        named = {OUTPUT_NAME: outputs} if isinstance(outputs, Tensor) else outputs
        names = {tensor.name: name for name, tensor in named.items()}
        read = {name for node in self._graph.node for name in node.input}
        made = [name for node in self._graph.node for name in node.output]
        if missing := [tensor for tensor in named.values() if tensor.name not in made]:
            raise ValueError(f"{missing[0]} is no operation's result")
        if unread := [name for name in made if name not in read and name not in names]:
            raise ValueError(f"nothing reads {unread[0]}, and it is no output")
        for node in self._graph.node:
            for ends in (node.input, node.output):
                for place, name in enumerate(ends):
                    ends[place] = names.get(name, name)
        for place in reversed(range(len(self._graph.value_info))):
            if self._graph.value_info[place].name in names:
                self._graph.value_info.pop(place)
        self._graph.output.extend(_value_info(Tensor(name, tensor.shape)) for name, tensor in named.items())
        return self._model

    def node(
        self,
        operator: str,
        inputs: Sequence[Tensor],
        shape: tuple[int, ...],
        parameters: Mapping[str, Values] = MappingProxyType({}),
        **attributes: Any,
    ) -> Tensor:
        """Emit a node with one output: `inputs`, then `parameters` as constants, are what it reads."""
        (output,) = self.nodes(operator, inputs, [shape], parameters, **attributes)
        return output

    def nodes(
        self,
        operator: str,
        inputs: Sequence[Tensor],
        shapes: Sequence[tuple[int, ...]],
        parameters: Mapping[str, Values] = MappingProxyType({}),
        **attributes: Any,
    ) -> list[Tensor]:
        """Emit a node with an output of each of these shapes."""
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

    def weight(self, *shape: int, gain: float = 2.0) -> npt.NDArray[Any]:
        """Draw with variance `gain` / fan-in, the product of all sizes but the first.

        2 is for a rectified input (He et al. 2015, arXiv:1502.01852, eq. 10).
        """
        values = self._rng.standard_normal(shape, dtype=np.float32)
        values *= math.sqrt(gain / math.prod(shape[1:]))
        return values

    def near(self, centre: float, count: int) -> npt.NDArray[Any]:
        """Draw `count` numbers close to `centre`."""
        # onnxsim merges equal vectors, which would change what is stored: no two may be equal.
        return self._rng.uniform(centre - _JITTER, centre + _JITTER, count).astype(np.float32)

    def _constant(self, name: str, values: Values) -> str:
        self._graph.initializer.add(
            name=name,
            data_type=helper.np_dtype_to_tensor_dtype(values.dtype),
            dims=values.shape,
            raw_data=values.tobytes(),
        )
        return name


def _value_info(value: Tensor) -> ValueInfoProto:
    return helper.make_tensor_value_info(value.name, TensorProto.FLOAT, value.shape)
