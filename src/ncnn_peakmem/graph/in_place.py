"""Which of ncnn's layers can write over the blob they read, as they do in light mode."""

from __future__ import annotations

from ncnn_peakmem.param_file import Layer

IN_PLACE = frozenset(
    {
        "AbsVal",
        "BNLL",
        "BatchNorm",
        "Bias",
        "CELU",
        "Clip",
        "CumulativeSum",
        "Dropout",
        "ELU",
        "Erf",
        "Exp",
        "GELU",
        "GroupNorm",
        "HardSigmoid",
        "HardSwish",
        "InstanceNorm",
        "LRN",
        "LayerNorm",
        "Log",
        "Mish",
        "Noop",
        "Normalize",
        "PReLU",
        "Power",
        "RMSNorm",
        "ReLU",
        "SELU",
        "Scale",
        "Shrink",
        "Sigmoid",
        "Softmax",
        "Softplus",
        "Swish",
        "TanH",
        "Threshold",
        "UnaryOp",
    }
)
"""Those whose own file in ncnn's `src/layer/` sets `support_inplace`."""


def works_in_place(layer: Layer) -> bool:
    """Whether it can write over what it reads; BinaryOp can with a number for its other operand."""
    return layer.type in IN_PLACE or (layer.type == "BinaryOp" and layer.integer(1) != 0)
