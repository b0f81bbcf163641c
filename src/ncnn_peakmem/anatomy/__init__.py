"""Where the bytes are: a network's graph with all shapes, and the conventions for counting them."""

from ncnn_peakmem.anatomy.conventions import BYTES_PER_ELEMENT, CONVENTIONS, Convention
from ncnn_peakmem.anatomy.devices import DEVICES, Device, Fit, fit
from ncnn_peakmem.anatomy.graph import Graph, GraphError, Makes, Node, build, read

__all__ = [
    "BYTES_PER_ELEMENT",
    "CONVENTIONS",
    "DEVICES",
    "Convention",
    "Device",
    "Fit",
    "Graph",
    "GraphError",
    "Makes",
    "Node",
    "build",
    "fit",
    "read",
]
