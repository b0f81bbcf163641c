"""Operations with two operands: tensors, or a tensor and weights."""

import numpy as np

from ncnn_peakmem.networks.draft import Draft, Tensor


class Arithmetic(Draft):
    """Sums and products."""

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        """Sum two tensors of one shape."""
        if x.shape != y.shape:
            raise ValueError(f"cannot add {x} and {y}")
        return self.node("Add", [x, y], x.shape)

    def multiply(self, x: Tensor, y: Tensor) -> Tensor:
        """Multiply each number of `x` by that of `y`, which is repeated along its axes of size 1."""
        if len(x.shape) != len(y.shape) or any(
            b not in {1, a} for a, b in zip(x.shape, y.shape, strict=True)
        ):
            raise ValueError(f"cannot multiply {x} by {y}")
        return self.node("Mul", [x, y], x.shape)

    def scale(self, x: Tensor, factor: float) -> Tensor:
        """Multiply by a number."""
        return self.node("Mul", [x], x.shape, {"factor": np.float32(factor)})

    def dense(self, x: Tensor, features: int) -> Tensor:
        """Multiply a flat tensor by a [features, inputs] matrix and add a bias."""
        parameters = {"weight": self.weight(features, x.channels), "bias": self.near(0.0, features)}
        return self.node("Gemm", [x], (x.shape[0], features), parameters, transB=1)

    def project(self, x: Tensor, features: int, *, bias: bool = True, gain: float = 1.0) -> Tensor:
        """Multiply the last axis by an [inputs, features] matrix, and add a bias."""
        shape = (*x.shape[:-1], features)
        weight = np.ascontiguousarray(self.weight(features, x.shape[-1], gain=gain).T)
        product = self.node("MatMul", [x], shape, {"weight": weight})
        return self.node("Add", [product], shape, {"bias": self.near(0.0, features)}) if bias else product

    def matmul(self, x: Tensor, y: Tensor) -> Tensor:
        """Multiply the matrices that lie along the last two axes."""
        if x.shape[:-2] != y.shape[:-2] or x.shape[-1] != y.shape[-2]:
            raise ValueError(f"cannot multiply {x} by {y}")
        return self.node("MatMul", [x, y], (*x.shape[:-1], y.shape[-1]))

    def layer_norm(self, x: Tensor, *, epsilon: float = 1e-5) -> Tensor:
        """Normalize the last axis by its own mean and variance; scale near 1, shift near 0."""
        parameters = {"weight": self.near(1.0, x.shape[-1]), "bias": self.near(0.0, x.shape[-1])}
        return self.node("LayerNormalization", [x], x.shape, parameters, axis=-1, epsilon=epsilon)
