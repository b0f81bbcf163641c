"""A table of layers as one writes it on paper: what each reads, makes and multiplies with."""

from __future__ import annotations

from dataclasses import dataclass

from ncnn_peakmem.graph.graph import Graph, Makes, Node
from ncnn_peakmem.graph.label import label


@dataclass(frozen=True, slots=True)
class Row:
    """A layer's line in a table on paper, in bytes."""

    layer: str
    label: str
    input: int
    output: int
    weights: int

    @property
    def total(self) -> int:
        """Input, output and weights."""
        return self.input + self.output + self.weights


@dataclass(frozen=True, slots=True)
class LayerTable:
    """The lines of a network's layers in the order in which they run."""

    rows: tuple[Row, ...]

    @property
    def weighted(self) -> LayerTable:
        """Only the layers that have weights."""
        return LayerTable(tuple(row for row in self.rows if row.weights))

    @property
    def total(self) -> int:
        """The sum of all lines."""
        return sum(row.total for row in self.rows)

    @property
    def largest(self) -> Row:
        """The line with the largest total, the first of several; ValueError if there is none."""
        return max(self.rows, key=lambda row: row.total)


def layer_table(graph: Graph, bytes_per_element: int) -> LayerTable:
    """Per layer input + output + weights without biases: the article's table.

    Layers that neither make a blob of their own nor have weights (Split, a ReLU) have no line. The article
    gives no value for pooling and sums up the others: `weighted` has these.
    """
    told = [node for node in graph.nodes if node.makes is Makes.NEW or node.weights]
    return LayerTable(tuple(_row(node, bytes_per_element) for node in told))


def _row(node: Node, bytes_per_element: int) -> Row:
    counted = (number * bytes_per_element for number in (node.input, node.output, node.weights))
    return Row(node.name, label(node), *counted)
