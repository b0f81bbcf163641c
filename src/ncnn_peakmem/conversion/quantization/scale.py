"""Scales, and the integers that numbers become by them: `round(number * scale)`, as ncnn computes it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int8]

LIMIT = 127
"""The largest integer; -128 is not used."""

IDLE = np.float32(1)
"""The scale of numbers that are all zero: any finite one is right, and ncnn divides by it."""


def of_range(ranges: npt.ArrayLike, levels: int = LIMIT) -> Floats:
    """The scales by which numbers become integers up to `levels`, for the largest magnitude of each."""
    with np.errstate(divide="ignore", over="ignore"):
        scales = np.float32(levels) / np.asarray(ranges, np.float32)
    # Numbers so small that their scale is beyond float32 are zeros for all that is computed with them.
    return np.where(np.isfinite(scales), scales, IDLE).astype(np.float32)


def largest(numbers: Floats) -> Floats:
    """The largest magnitude in each row."""
    return np.asarray(np.abs(numbers).max(axis=1, initial=0), np.float32)


def integers(numbers: Floats, scales: Floats) -> Integers:
    """What each row becomes by its scale: rounded half away from zero, and kept within +-127."""
    scaled = np.multiply(numbers, scales[:, np.newaxis], dtype=np.float32).astype(np.float64)
    rounded = np.trunc(scaled + np.copysign(0.5, scaled))
    return np.clip(rounded, -LIMIT, LIMIT).astype(np.int8)
