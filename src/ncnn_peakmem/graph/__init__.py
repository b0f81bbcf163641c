"""A ncnn network as a graph: its layers in order of execution, and the shape of every blob."""

from ncnn_peakmem.graph.graph import Graph, GraphError, Makes, Node, build, read

__all__ = ["Graph", "GraphError", "Makes", "Node", "build", "read"]
