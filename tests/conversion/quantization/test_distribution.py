"""The range that loses least of a distribution, where the answer is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from ncnn_peakmem.conversion.quantization.distribution import BINS, Distribution, histogram


def distribution(numbers: npt.NDArray[np.float64]) -> Distribution:
    """The distribution of numbers."""
    values = np.asarray(numbers, np.float32)
    largest = float(np.abs(values).max())
    return Distribution(largest, histogram(values, largest))


def test_a_histogram_counts_magnitudes_and_leaves_zeros_out() -> None:
    counts = histogram(np.array([[0, 1, -1], [0.5, 0, 1e-6]], np.float32), 1.0)

    assert counts.sum() == 4
    assert (counts[0], counts[BINS // 2], counts[-1]) == (1, 1, 2)


def test_a_few_outliers_are_cut_off() -> None:
    body = np.random.default_rng(0).normal(0, 1, 200_000)
    kept = distribution(np.concatenate([body, [40.0]])).entropy_range()

    assert 2.5 < kept < 6


def test_an_even_distribution_is_kept_whole() -> None:
    kept = distribution(np.linspace(-3, 3, 100_001)).entropy_range()

    assert kept == pytest.approx(3, rel=0.01)


def test_a_range_follows_the_unit() -> None:
    numbers = np.random.default_rng(1).laplace(0, 1, 50_000)

    assert distribution(numbers * 8).entropy_range() == pytest.approx(
        8 * distribution(numbers).entropy_range()
    )


def test_the_range_is_a_bins_middle() -> None:
    """As ncnn2table tells it: `(bins + 0.5) * largest / 2048`, for 128 to 2047 bins."""
    counts = np.zeros(BINS, np.int64)
    counts[:128] = 1000

    assert Distribution(2048.0, counts).entropy_range() == 128.5


@pytest.mark.parametrize("largest", [0.0, 5.0])
def test_zeros_alone_keep_the_range_they_have(largest: float) -> None:
    counts = histogram(np.zeros((3, 4), np.float32), largest)

    assert Distribution(largest, counts).entropy_range() == largest


@pytest.mark.parametrize("largest", [1e-36, 1e-45])
def test_numbers_too_small_to_be_told_apart_keep_their_range(largest: float) -> None:
    counts = histogram(np.array([largest, largest / 2, 0], np.float32), largest)

    assert counts.shape == (BINS,)
    assert Distribution(largest, counts).entropy_range() == largest


def test_a_constant_is_kept() -> None:
    assert distribution(np.full(1000, -2.5)).entropy_range() == 2.5


def test_what_many_numbers_were_clipped_to_is_kept() -> None:
    """As activations of ReLU6 are."""
    body = np.clip(np.abs(np.random.default_rng(2).normal(0, 4, 50_000)), 0, 6)

    assert distribution(body).entropy_range() == pytest.approx(6, rel=0.01)
