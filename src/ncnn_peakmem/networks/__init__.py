"""The built-in topologies as ONNX models with seeded random weights.

They follow torchvision's definitions, and MobileNet V1, which torchvision lacks, its paper's. Their names are
cheap to have: onnx is imported when a network is built.
"""

from ncnn_peakmem.networks.topologies import TOPOLOGIES, build, source_digest

__all__ = ["TOPOLOGIES", "build", "source_digest"]
