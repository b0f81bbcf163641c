"""A network drawn from bytes: shapes, weights and labels for every layer, or GraphError."""

from __future__ import annotations

from contextlib import suppress

from ncnn_peakmem.accounting.conventions import all_blobs, storage
from ncnn_peakmem.graph import GraphError, build
from ncnn_peakmem.graph.label import is_addition, is_depth_wise, label
from ncnn_peakmem.param_file import ParamFileError
from tests.fuzz.drawing import Drawing

TOKENS: tuple[str, ...] = ()


def one_input(data: bytes) -> None:
    """Build the graph, and say everything about it."""
    network, inputs = Drawing(data).network()
    try:
        graph = build(network, inputs)
    except (GraphError, ParamFileError):
        return
    for node in graph.nodes:
        assert len(node.top_shapes) == len(node.tops)
        assert all(size > 0 for shape in node.top_shapes for size in shape)
        assert min(node.weights, node.bias) >= 0
        with suppress(ParamFileError):
            assert label(node)
            is_addition(node), is_depth_wise(node)
    assert storage(graph, 4) >= 0
    assert all_blobs(graph, 4) >= 0
