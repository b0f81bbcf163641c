"""How the numbers in a blob are distributed over calibration inputs, and the range that is worth keeping."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BINS = 2048
"""Bins of a histogram of magnitudes, as ncnn2table has them."""

_LEVELS = 128
_TINY = 1e-4
_LARGEST_FLOAT = float(np.finfo(np.float32).max)

Counts = npt.NDArray[np.int64]
_Masses = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Distribution:
    """A histogram of the magnitudes from 0 to `largest`, zeros left out."""

    largest: float
    counts: Counts

    def entropy_range(self) -> float:
        """The range whose 128 levels lose least of the distribution, measured by relative entropy.

        The method of S. Migacz, "8-bit Inference with TensorRT" (GTC 2017), with ncnn2table's parameters:
        ranges of 128 bins and more are tried. For each, the distribution with everything beyond it put into
        its last bin is compared with what remains of the range itself after its bins were merged to 128.
        ncnn2table stops one bin short of the whole range, and so cuts off numbers that are all the same.
        """
        total = self.counts.sum()
        if total == 0:
            return self.largest
        masses = self.counts / total
        divergences = [_divergence(masses, bins) for bins in range(_LEVELS, BINS + 1)]
        best = _LEVELS + int(np.argmin(divergences))
        return min(best + 0.5, BINS) * self.largest / BINS


def histogram(numbers: npt.NDArray[np.float32], largest: float) -> Counts:
    """Count the magnitudes of numbers in 2048 bins up to `largest`; zeros are left out.

    So are numbers so small that what scales them to bins is beyond float32.
    """
    if largest <= 0 or BINS / largest > _LARGEST_FLOAT:
        return np.zeros(BINS, np.int64)
    bins = (np.abs(numbers) * np.float32(BINS / largest)).astype(np.int32)
    counts = np.bincount(np.minimum(bins, BINS - 1, out=bins).ravel(), minlength=BINS)
    counts[0] -= numbers.size - np.count_nonzero(numbers)
    return counts


def _divergence(masses: _Masses, bins: int) -> float:
    clipped = masses[:bins].copy()
    clipped[-1] += masses[bins:].sum()
    expanded = _merged_and_expanded(masses[:bins])
    return float(np.sum((clipped + _TINY) * np.log((clipped + _TINY) / (expanded + _TINY))))


def _merged_and_expanded(masses: _Masses) -> _Masses:
    """What is left of a distribution of which only 128 levels are told: each is even within its level.

    Levels need not begin and end with bins, which then belong to two of them by their parts.
    """
    edges = np.arange(len(masses) + 1, dtype=np.float64)
    levels = np.linspace(0, len(masses), _LEVELS + 1)
    below = np.concatenate(([0.0], np.cumsum(masses)))
    return np.diff(np.interp(edges, levels, np.interp(levels, edges, below)))
