"""Builds a built-in network's ONNX file: `python -m ncnn_peakmem.conversion.build NAME SEED FILE`.

A process of its own, because a large network's weights would stay in the parent's memory.
"""

from __future__ import annotations

import sys

import onnx

from ncnn_peakmem import networks


def main(topology: str, seed: str, file: str) -> None:
    """Build a topology with a seed and save it."""
    onnx.save(networks.build(topology, int(seed)), file)


if __name__ == "__main__":
    main(*sys.argv[1:])
