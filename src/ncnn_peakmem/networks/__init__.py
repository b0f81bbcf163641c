"""The built-in topologies as ONNX models with seeded random weights.

They follow torchvision's definitions, and MobileNet V1, which torchvision lacks, its paper's.
"""

from ncnn_peakmem.networks.topologies import NETWORKS, build, source_digest

__all__ = ["NETWORKS", "build", "source_digest"]
