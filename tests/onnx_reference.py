"""ONNX's reference evaluator, with what it computes in loops in Python, seconds each, computed by numpy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

Array = npt.NDArray[np.float32]


def evaluator_of(model: onnx.ModelProto | Path) -> ReferenceEvaluator:
    """Evaluates a model, given or in a file.

    Its pools may not be dilated, averages not be padded, squares of transposed convolutions not overlap.
    """
    loaded = str(model) if isinstance(model, Path) else model
    return ReferenceEvaluator(loaded, new_ops=[MaxPool, AveragePool, ConvTranspose])


class MaxPool(OpRun):
    """The largest value in each window; what the padding adds is none."""

    op_domain = ""

    def _run(
        self,
        x: Array,
        *,
        kernel_shape: Sequence[int],
        strides: Sequence[int] | None = None,
        pads: Sequence[int] | None = None,
        ceil_mode: int | None = 0,
        **others: Any,
    ) -> tuple[Array]:
        assert others.get("auto_pad") in {None, "NOTSET"}
        assert set(others.get("dilations") or [1]) == {1}
        return (reduce(np.maximum, _windows(x, kernel_shape, strides, pads, bool(ceil_mode))),)


class AveragePool(OpRun):
    """The mean of each window."""

    op_domain = ""

    def _run(
        self, x: Array, *, kernel_shape: Sequence[int], strides: Sequence[int] | None = None, **others: Any
    ) -> tuple[Array]:
        assert others.get("auto_pad") in {None, "NOTSET"}
        assert not others.get("ceil_mode")
        assert set(others.get("dilations") or [1]) == {1}
        assert not any(others.get("pads") or [])
        places = _windows(x, kernel_shape, strides, None, False)
        return (reduce(np.add, places) / np.float32(len(places)),)


class ConvTranspose(OpRun):
    """The square that each pixel paints, beside its neighbours'."""

    op_domain = ""

    def _run(
        self, x: Array, weight: Array, bias: Array, *, strides: Sequence[int] | None = None, **others: Any
    ) -> tuple[Array]:
        assert list(weight.shape[2:]) == list(strides or (1, 1))
        assert others.get("group") in {None, 1}
        assert others.get("auto_pad") in {None, "NOTSET"}
        assert not any(others.get("pads") or [])
        painted = np.einsum("nchw,cokl->nohkwl", x, weight, optimize=True)
        batch, channels, height, rows, width, columns = painted.shape
        joined = painted.reshape(batch, channels, height * rows, width * columns)
        return (joined + bias[:, np.newaxis, np.newaxis],)


def _windows(
    x: Array, kernel: Sequence[int], strides: Sequence[int] | None, pads: Sequence[int] | None, ceil: bool
) -> list[Array]:
    """What all windows see in each of their places; with `ceil` a last, partly filled window counts too."""
    steps = strides or (1, 1)
    top, left, bottom, right = pads or (0, 0, 0, 0)
    ends = [(top, bottom + ceil * (steps[0] - 1)), (left, right + ceil * (steps[1] - 1))]
    padded = np.pad(x, [(0, 0), (0, 0), *ends], constant_values=-np.inf)
    lasts = [size - width for size, width in zip(padded.shape[2:], kernel, strict=True)]
    return [
        padded[:, :, row : row + lasts[0] + 1 : steps[0], column : column + lasts[1] + 1 : steps[1]]
        for row in range(kernel[0])
        for column in range(kernel[1])
    ]
