"""The ways in which people count a network's memory on paper, each as a function. Pure.

They count numbers, times the bytes of each: no padding, no alignment, no workspace, no second copy. What an
engine really takes is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ncnn_peakmem.accounting.building_block import building_blocks, owners
from ncnn_peakmem.accounting.layer_table import layer_table
from ncnn_peakmem.accounting.liveness import moments
from ncnn_peakmem.case import Precision
from ncnn_peakmem.graph.graph import Graph, Makes
from ncnn_peakmem.graph.label import is_addition, is_depth_wise

BYTES_PER_ELEMENT: Mapping[Precision, int] = {Precision.FP32: 4, Precision.FP16: 2, Precision.INT8: 1}
"""What one number takes; that int8 keeps biases and scales wider is left out by all these conventions."""


def layer_sum(graph: Graph, bytes_per_element: int) -> int:
    """The sum of input + output + weights over the layers that have weights: the article's sum."""
    return layer_table(graph, bytes_per_element).weighted.total


def largest_layer(graph: Graph, bytes_per_element: int) -> int:
    """The largest input + output + weights of a layer that has weights: the article's maximum."""
    rows = layer_table(graph, bytes_per_element).weighted.rows
    return max((row.total for row in rows), default=0)


def largest_input_and_output(graph: Graph, bytes_per_element: int) -> int:
    """The largest input + output of a layer that makes a blob of its own, all its inputs counted.

    The plainest of the conventions: weights lie elsewhere, and nothing is held for later.
    """
    made = (node.input + node.output for node in graph.nodes if node.makes is Makes.NEW)
    return max(made, default=0) * bytes_per_element


def mcunet_code(graph: Graph, bytes_per_element: int) -> int:
    """What MCUNet's released code counts (`count_peak_activation_size` in mcunet/utils/pytorch_utils.py).

    The largest input + output of a convolution or an inner product, without weights; a depth-wise convolution
    in a block with a shortcut has the block's input added. The code itself only takes networks of its class.
    """
    held = {
        number: graph.elements(block.entry)
        for block in building_blocks(graph)
        if block.shortcut
        for number in block.nodes
        if is_depth_wise(graph.nodes[number])
    }
    return bytes_per_element * max(
        (
            node.input + node.output + held.get(number, 0)
            for number, node in enumerate(graph.nodes)
            if "Convolution" in node.type or node.type == "InnerProduct"
        ),
        default=0,
    )


def block_input_held(graph: Graph, bytes_per_element: int) -> int:
    """Input + output of each layer + the tensor that entered its block; an addition writes over an operand.

    Of the conventions tried it is the one that gives what the table in MCUNet's paper (Lin et al., 2020)
    prints for ResNet-50 and MobileNetV2; the paper does not state its own. What a block is, `building_block`
    says: those of MobileNetV2 that have no shortcut count as well.
    """
    owner = owners(graph)
    entries: dict[int, set[str]] = {}
    for block in building_blocks(graph):
        for number in block.nodes:
            entries.setdefault(number, set()).add(block.entry)
    largest = 0
    for number, node in enumerate(graph.nodes):
        if node.makes is Makes.NEW:
            made = () if is_addition(node) else node.tops
            held = {owner[blob] for blob in (*node.bottoms, *made)} | entries.get(number, set())
            largest = max(largest, sum(graph.elements(blob) for blob in held))
    return largest * bytes_per_element


def liveness(graph: Graph, bytes_per_element: int) -> int:
    """The most that is alive at once in the order of execution, as ncnn's light mode lets blobs go."""
    return max((moment.running for moment in moments(graph, bytes_per_element)), default=0)


def all_blobs(graph: Graph, bytes_per_element: int) -> int:
    """Every blob at once: without light mode ncnn keeps all of them to the end, and writes over none."""
    made = sum(node.output for node in graph.nodes if node.makes is not Makes.SAME)
    return (sum(map(graph.elements, graph.inputs)) + made) * bytes_per_element


def storage(graph: Graph, bytes_per_element: int) -> int:
    """Weights and biases: what a device has to store of a network."""
    return (graph.weights + graph.biases) * bytes_per_element


@dataclass(frozen=True, slots=True)
class Convention:
    """A way to count the memory that a network needs besides its stored weights, unless it `has_weights`."""

    name: str
    told: str
    source: str
    count: Callable[[Graph, int], int]
    has_weights: bool = False


CONVENTIONS = (
    Convention(
        "layer sum",
        "input + output + weights, without biases, of all layers that have weights",
        "the article's table",
        layer_sum,
        has_weights=True,
    ),
    Convention(
        "largest layer",
        "the largest such line",
        "the article's table",
        largest_layer,
        has_weights=True,
    ),
    Convention(
        "largest input + output",
        "the largest input + output of any layer that makes a blob",
        "the plainest rule",
        largest_input_and_output,
    ),
    Convention(
        "MCUNet's code",
        "the same of convolutions and inner products; a depth-wise one in a block with a shortcut has the "
        "block's input added",
        "`count_peak_activation_size` in MCUNet's repository",
        mcunet_code,
    ),
    Convention(
        "block input held",
        "input + output of each layer + what entered its block; an addition writes over an operand",
        "found to give the table in MCUNet's paper",
        block_input_held,
    ),
    Convention(
        "liveness",
        "all that is alive while a layer runs, in the order of execution",
        "ncnn's light mode, `src/net.cpp`",
        liveness,
    ),
    Convention(
        "all blobs",
        "every blob, kept to the end",
        "ncnn without light mode, `src/net.cpp`",
        all_blobs,
    ),
)
"""All conventions that count memory, those with weights first."""
