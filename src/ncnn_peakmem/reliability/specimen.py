"""A small network that needs no file from anywhere: what is run to learn about the machine."""

from __future__ import annotations

from pathlib import Path

from ncnn_peakmem import param_file
from ncnn_peakmem.conversion.ncnn_files import describe
from ncnn_peakmem.graph.weights import count
from ncnn_peakmem.network import ModelFiles, NcnnFiles, Network

_PARAM = """\
7767517
8 8
Input            data     0 1 data 0={side} 1={side} 2=3
Convolution      conv1    1 1 data conv1 0=16 1=3 4=1 5=1 6=432 9=1
Convolution      conv2    1 1 conv1 conv2 0=32 1=3 3=2 4=1 5=1 6=4608 9=1
Convolution      conv3    1 1 conv2 conv3 0=64 1=3 3=2 4=1 5=1 6=18432 9=1
Convolution      conv4    1 1 conv3 conv4 0=128 1=1 5=1 6=8192 9=1
Pooling          pool     1 1 conv4 pool 0=1 4=1
InnerProduct     fc       1 1 pool fc 0=10 1=1 2=1280
Softmax          output   1 1 fc output
"""

SMALL, LARGE = 64, 224
"""Sides of the input: inferences of a fraction of a millisecond, and of several."""


def specimen(folder: Path, side: int) -> ModelFiles:
    """The network for an input of 3 x `side` x `side`, all its weights zero, written into `folder`."""
    param = folder / f"specimen-{side}.param"
    param.write_text(_PARAM.format(side=side))
    weights = param.with_suffix(".bin")
    with weights.open("wb") as file:
        file.truncate(_weight_bytes(param))
    return describe(Network("specimen", NcnnFiles(param, weights)), NcnnFiles(param, weights))


def _weight_bytes(param: Path) -> int:
    """The size of the `.bin`: numbers of four bytes, and a tag before those a layer multiplies with."""
    weights = [count(layer) for layer in param_file.read(param).layers]
    return sum(4 * (bool(one.weights) + one.weights + one.bias) for one in weights)
