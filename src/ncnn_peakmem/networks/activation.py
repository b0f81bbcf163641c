"""Operations that bend each number by itself, or against its neighbours along an axis."""

import math

import numpy as np

from ncnn_peakmem.networks.draft import Draft, Tensor


class Activations(Draft):
    """What follows a layer that is linear."""

    def relu(self, x: Tensor) -> Tensor:
        """max(x, 0)."""
        return self.node("Relu", [x], x.shape)

    def relu6(self, x: Tensor) -> Tensor:
        """min(max(x, 0), 6)."""
        return self.node("Clip", [x], x.shape, {"min": np.float32(0), "max": np.float32(6)})

    def sigmoid(self, x: Tensor) -> Tensor:
        """1 / (1 + exp(-x))."""
        return self.node("Sigmoid", [x], x.shape)

    def hard_sigmoid(self, x: Tensor) -> Tensor:
        """relu6(x + 3) / 6."""
        return self.node("HardSigmoid", [x], x.shape, alpha=1 / 6, beta=0.5)

    def swish(self, x: Tensor) -> Tensor:
        """x * sigmoid(x), which others call SiLU."""
        return self.node("Mul", [x, self.sigmoid(x)], x.shape)

    def hard_swish(self, x: Tensor) -> Tensor:
        """x * hard_sigmoid(x)."""
        return self.node("HardSwish", [x], x.shape)

    def gelu(self, x: Tensor) -> Tensor:
        """x * (1 + erf(x / sqrt 2)) / 2."""
        scaled = self.node("Div", [x], x.shape, {"root": np.float32(math.sqrt(2))})
        raised = self.node("Add", [self.node("Erf", [scaled], x.shape)], x.shape, {"one": np.float32(1)})
        return self.node("Mul", [self.node("Mul", [x, raised], x.shape)], x.shape, {"half": np.float32(0.5)})

    def softmax(self, x: Tensor, axis: int = -1) -> Tensor:
        """exp(x) with a sum of 1 along an axis."""
        return self.node("Softmax", [x], x.shape, axis=axis)
