"""Builds a built-in network's ONNX: `python -m ncnn_peakmem.conversion.build NAME SEED FILE [SHAPE ...]`.

A process of its own, because a large network's weights would stay in the parent's memory.
"""

from __future__ import annotations

import sys

import onnx

from ncnn_peakmem import networks


def main(topology: str, seed: str, file: str, *shapes: str) -> None:
    """Build a topology with a seed and save it; each shape is written like 1,3,224,224."""
    wanted = [tuple(map(int, shape.split(","))) for shape in shapes]
    onnx.save(networks.build(topology, int(seed), wanted), file)


if __name__ == "__main__":
    main(*sys.argv[1:])
