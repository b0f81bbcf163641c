"""Layers that make a blob of the shape of what they read, and one whose shapes are not known."""

from __future__ import annotations

from tests.graph.samples.sample import Sample

SAMPLES = [
    Sample("6x3x4", "ShuffleChannel", "0=2"),
    Sample("2x3x4", "Noop"),
    Sample("2x3x4", "Split", tops=3),
    Sample("4x3x4", "BatchNorm", "0=4"),
    Sample("4x3x4", "Bias", "0=4"),
    Sample("4x3x4", "Cast", "0=1 1=1"),
    Sample("4x3x4", "Cast", "0=1 1=2"),
    Sample("4x3x4", "GroupNorm", "0=2 1=4"),
    Sample("4x3x4", "InstanceNorm", "0=4"),
    Sample("4x6", "LayerNorm", "0=6"),
    Sample("4x6", "LayerNorm", "0=6 2=0"),
    Sample("4x6", "RMSNorm", "0=6"),
    Sample("4x3x4", "LRN"),
    Sample("4x3x4", "MVN"),
    Sample("4x3x4", "Normalize", "0=0 1=1 3=1 4=1"),
    Sample("4x3x4", "PReLU", "0=4"),
    Sample("4x3x4", "Scale", "0=4 1=1"),
    Sample("4x3x4 4", "Scale", "0=-233"),
    Sample("4x3x4", "Softmax", "0=0 1=1"),
    *(
        Sample("4x3x4", name)
        for name in (
            *("AbsVal", "BNLL", "CELU", "Clip", "CumulativeSum", "Dropout", "ELU", "Erf", "Exp"),
            *(
                "GELU",
                "HardSigmoid",
                "HardSwish",
                "Log",
                "Mish",
                "Power",
                "ReLU",
                "SELU",
                "Shrink",
                "Sigmoid",
            ),
            *("Softplus", "Swish", "TanH", "Threshold", "UnaryOp"),
        )
    ),
]

REFUSED = [
    (Sample("3x9x7", "DetectionOutput"), "type whose shapes are not known"),
    (Sample("2x3x4 2x3x4", "ReLU"), "reads 2 blobs, not 1"),
    (Sample("2x3x4", "ReLU", tops=2), "makes 1 blobs, and names 2"),
]
