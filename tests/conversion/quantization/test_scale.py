"""Scales of weights, and the integers that come of them."""

from __future__ import annotations

import numpy as np
import pytest

from ncnn_peakmem import param_file
from ncnn_peakmem.conversion.quantization import QuantizationError, scale
from ncnn_peakmem.conversion.quantization.target import Target, targets


def of(line: str, *, gemm: bool = False) -> tuple[Target, ...]:
    """What becomes int8 in a network of an input and one layer."""
    text = f"7767517\n2 2\nInput data 0 1 data\n{line}\n"
    return targets(param_file.parse(text), gemm=gemm)


def test_the_largest_weight_of_each_row_becomes_the_largest_integer() -> None:
    weights = np.array([[0.5, -2.0], [0.25, 0.125]], np.float32)

    scales = scale.of_range(scale.largest(weights))

    assert scales.tolist() == [63.5, 508.0]
    assert scale.integers(weights, scales).tolist() == [[32, -127], [127, 64]]


def test_halves_are_rounded_away_from_zero() -> None:
    numbers = np.array([[0.5, -0.5, 1.5, 2.5, -2.5, 0.49999997]], np.float32)

    assert scale.integers(numbers, np.ones(1, np.float32)).tolist() == [[1, -1, 2, 3, -3, 0]]


def test_integers_stay_within_127() -> None:
    numbers = np.array([[1000, -1000, 127.4, -128]], np.float32)

    assert scale.integers(numbers, np.ones(1, np.float32)).tolist() == [[127, -127, 127, -127]]


@pytest.mark.parametrize("tiny", [0.0, 1e-44])
def test_a_channel_of_zeros_has_a_scale_that_can_be_divided_by(tiny: float) -> None:
    weights = np.array([[tiny, 0], [1, 0]], np.float32)

    scales = scale.of_range(scale.largest(weights))

    assert scales.tolist() == [1.0, 127.0]
    assert scale.integers(weights, scales).tolist() == [[0, 0], [127, 0]]


@pytest.mark.parametrize(
    ("layer", "levels"),
    [
        ("Convolution c 1 1 data out 0=8 1=3 6=216", 31),
        ("Convolution c 1 1 data out 0=8 1=3 11=3 3=1 4=1 6=216", 31),
        ("Convolution c 1 1 data out 0=8 1=3 3=2 6=216", 127),
        ("Convolution c 1 1 data out 0=8 1=3 3=1 13=2 6=216", 127),
        ("Convolution c 1 1 data out 0=8 1=3 2=2 6=216", 127),
        ("Convolution c 1 1 data out 0=8 1=3 11=1 6=72", 127),
        ("Convolution c 1 1 data out 0=8 1=1 6=24", 127),
        ("ConvolutionDepthWise c 1 1 data out 0=8 1=3 6=72 7=8", 127),
        ("InnerProduct c 1 1 data out 0=8 2=80", 127),
    ],
)
def test_weights_that_winograd_may_take_have_six_bits(layer: str, levels: int) -> None:
    (target,) = of(layer)

    assert target.levels == levels


@pytest.mark.parametrize(
    ("layer", "channels"),
    [
        ("Convolution c 1 1 data out 0=8 1=3 6=216", 8),
        ("ConvolutionDepthWise c 1 1 data out 0=8 1=3 6=72 7=8", 8),
        ("InnerProduct c 1 1 data out 0=10 2=80", 10),
    ],
)
def test_there_is_a_scale_a_channel(layer: str, channels: int) -> None:
    (target,) = of(layer)

    assert target.channels == channels


@pytest.mark.parametrize(
    "layer",
    [
        "Convolution c 1 1 data out 0=8 1=3 6=216 19=1",
        "Convolution c 1 1 data out 0=8 1=3 4=1 6=216 18=1.5",
        "ConvolutionDepthWise c 1 1 data out 0=8 1=3 6=144 7=4",
        "ConvolutionDepthWise c 1 1 data out 0=16 1=3 6=144 7=8",
        "Deconvolution c 1 1 data out 0=8 1=3 6=216",
        "Gemm c 1 1 data out 5=1 8=8 9=8",
    ],
)
def test_what_ncnn_does_not_compute_right_in_int8_stays_float(layer: str) -> None:
    assert of(layer) == ()


@pytest.mark.parametrize(("params", "is_taken"), [("4=0 5=1", True), ("4=1 5=1", False), ("4=0 5=0", False)])
def test_a_gemm_is_taken_if_wanted_and_if_its_second_matrix_alone_is_given(
    params: str, is_taken: bool
) -> None:
    assert bool(of(f"Gemm c 1 1 data out {params} 7=4 8=8 9=8", gemm=True)) is is_taken


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("Convolution c 1 1 data out 0=8 1=3 6=216 8=2", "layer 'c' is quantized already"),
        ("Gemm c 1 1 data out 5=1 8=8 9=8 18=2", "layer 'c' is quantized already"),
        ("Convolution c 1 1 data out 1=3 6=216", "layer 'c' has 0 output channels"),
    ],
)
def test_what_makes_no_sense_is_refused(layer: str, words: str) -> None:
    with pytest.raises(QuantizationError, match=words):
        of(layer, gemm=True)
