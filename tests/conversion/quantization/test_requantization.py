"""Which layers may hand on integers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from ncnn_peakmem import param_file
from ncnn_peakmem.conversion.quantization.requantization import fused
from ncnn_peakmem.conversion.quantization.table import Scales
from ncnn_peakmem.conversion.quantization.target import targets

HEAD = "Input data 0 1 data\nConvolution a 1 1 data a 0=4 1=1 6=12\n"
CONVOLUTION = "Convolution {0} 1 1 {1} {0} 0=4 1=1 6=16\n"
DEPTHWISE = "ConvolutionDepthWise {0} 1 1 {1} {0} 0=4 1=3 6=36 7=4\n"
FORK = "Split fork 1 2 a left right\n"


def fusion(lines: str, **bottoms: float) -> Mapping[str, float]:
    """Who hands on integers, and by which scale; every layer that is named is int8."""
    graph = param_file.parse(f"7767517\n{lines.count(chr(10))} {blob_count(lines)}\n{lines}")
    scales = {name: Scales(np.ones(1, np.float32), np.float32(scale)) for name, scale in bottoms.items()}
    return {name: float(scale) for name, scale in fused(graph, targets(graph, gemm=False), scales).items()}


def blob_count(lines: str) -> int:
    """How many blobs these layers make."""
    return sum(int(line.split()[3]) for line in lines.splitlines())


@pytest.mark.parametrize("reader", [CONVOLUTION, DEPTHWISE])
def test_a_convolution_hands_integers_to_the_only_one_that_reads_them(reader: str) -> None:
    assert fusion(HEAD + reader.format("b", "a"), a=1, b=2) == {"a": 2}


def test_a_chain_goes_on(tmp_path: object) -> None:
    lines = HEAD + DEPTHWISE.format("b", "a") + CONVOLUTION.format("c", "b")

    assert fusion(lines, a=1, b=2, c=3) == {"a": 2, "b": 3}


@pytest.mark.parametrize(
    ("reader", "int8"),
    [
        (CONVOLUTION.format("b", "a"), {"a": 1.0}),
        (CONVOLUTION.format("b", "a"), {"b": 2.0}),
        ("InnerProduct b 1 1 a b 0=4 2=64\n", {"a": 1.0, "b": 2.0}),
        ("ReLU b 1 1 a b\n", {"a": 1.0}),
        ("", {"a": 1.0}),
    ],
    ids=["reader is float", "maker is float", "reader takes floats", "another layer", "a result"],
)
def test_floats_stay_where_not_both_are_int8_convolutions(reader: str, int8: dict[str, float]) -> None:
    assert fusion(HEAD + reader, **int8) == {}


def test_a_split_is_looked_through() -> None:
    lines = HEAD + FORK + CONVOLUTION.format("b", "left") + DEPTHWISE.format("c", "right")

    assert fusion(lines, a=1, b=2, c=2) == {"a": 2}


def test_a_split_of_a_split_is_looked_through() -> None:
    again = "Split again 1 2 left near far\n"
    readers = "".join(CONVOLUTION.format(*pair) for pair in (("b", "near"), ("c", "far"), ("d", "right")))

    assert fusion(HEAD + FORK + again + readers, a=1, b=2, c=2, d=2) == {"a": 2}
    assert fusion(HEAD + FORK + again + readers, a=1, b=2, d=2) == {}


@pytest.mark.parametrize(
    ("other", "scales"),
    [
        (CONVOLUTION.format("c", "right"), {"a": 1.0, "b": 2.0}),
        (CONVOLUTION.format("c", "right"), {"a": 1.0, "b": 2.0, "c": 3.0}),
        ("ReLU c 1 1 right c\n", {"a": 1.0, "b": 2.0}),
        ("", {"a": 1.0, "b": 2.0}),
    ],
    ids=["a float convolution", "another scale", "another layer", "a result"],
)
def test_a_split_hands_on_floats_unless_all_read_the_same_integers(
    other: str, scales: dict[str, float]
) -> None:
    assert fusion(HEAD + FORK + CONVOLUTION.format("b", "left") + other, **scales) == {}
