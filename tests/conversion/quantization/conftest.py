"""A small network with all that is quantized, and random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ncnn_peakmem import model_bin, param_file
from ncnn_peakmem.network import InputBlob

PARAM = """\
7767517
10 11
Input                data  0 1 data
Convolution          wide  1 1 data wide 0=16 1=3 4=1 5=1 6=432 9=1
ConvolutionDepthWise deep  1 1 wide deep 0=16 1=3 3=2 4=1 5=1 6=144 7=16 9=1
Convolution          point 1 1 deep point 0=32 1=1 5=1 6=512 9=1
Split                fork  1 2 point left right
ConvolutionDepthWise group 1 1 left group 0=32 1=3 4=1 5=1 6=2304 7=4
Convolution          one   1 1 right one 0=32 1=1 5=1 6=1024
BinaryOp             add   2 1 group one sum 0=0
Pooling              pool  1 1 sum pooled 0=1 4=1
InnerProduct         fc    1 1 pooled out 0=10 1=1 2=320
"""

Files = tuple[Path, Path]


@pytest.fixture
def blobs() -> tuple[InputBlob, ...]:
    """The small network's inputs."""
    return (InputBlob("data", (3, 24, 24)),)


@pytest.fixture
def write_network(tmp_path: Path) -> Callable[..., Files]:
    """Writes a network's files, with seeded weights; `change` may alter those of a layer and role."""

    def write(
        text: str = PARAM, change: Callable[[str, str, npt.NDArray[np.float64]], None] | None = None
    ) -> Files:
        param, weights = tmp_path / "float.param", tmp_path / "float.bin"
        param.write_text(text)
        random = np.random.default_rng(5)
        with weights.open("wb") as stream:
            writer = model_bin.Writer(stream)
            for layer in param_file.read(param).layers:
                for slot in model_bin.slots(layer):
                    fan_in = max(1, slot.count // max(1, layer.integer(0, 1)))
                    numbers = random.normal(0, fan_in**-0.5 if slot.tagged else 0.1, slot.count)
                    if change:
                        change(slot.layer, slot.role, numbers)
                    writer.put(slot, numbers)
        return param, weights

    return write
