"""The built-in topologies as ONNX models with seeded random weights.

They follow torchvision's definitions, and those that torchvision lacks their papers'. Their names are cheap
to have: onnx is imported when a network is built.
"""

from ncnn_peakmem.networks.interface import Input
from ncnn_peakmem.networks.topologies import CLASSIC, TOPOLOGIES, build, inputs, source_digest

__all__ = ["CLASSIC", "TOPOLOGIES", "Input", "build", "inputs", "source_digest"]
