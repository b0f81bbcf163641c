"""Bytes as a `.param` beside a `.bin` of any length: files that a probe can run, or ConversionError."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from ncnn_peakmem.conversion import ConversionError
from ncnn_peakmem.conversion.ncnn_files import describe
from ncnn_peakmem.graph import GraphError, read
from ncnn_peakmem.network import NcnnFiles, Network
from tests.fuzz.drawing import Drawing

TOKENS = ("7767517\n", "Input", "Convolution", "Split", " 0 1 ", " 1 1 ", "-23303=", "0=", "1=", "2=", "6=")

_folder = TemporaryDirectory(prefix="ncnn-peakmem-fuzz-")
_HEAD = 16


def one_input(data: bytes) -> None:
    """Describe the files, with or without input shapes; then tell the shapes of all blobs."""
    drawing = Drawing(data[:_HEAD])
    param, weights = Path(_folder.name, "net.param"), Path(_folder.name, "net.bin")
    param.write_bytes(data[_HEAD:])
    with weights.open("wb") as file:
        # Sparse: a length is all that is ever looked at.
        file.truncate(drawing.byte() << drawing.byte() % 34)
    shapes = tuple(drawing.shape() for _ in range(drawing.byte() % 3))
    network = Network("net", NcnnFiles(param, drawing.one_of((None, weights))), shapes)
    try:
        model = describe(network, NcnnFiles(param, drawing.one_of((None, weights))))
        read(model)
    except (ConversionError, GraphError):
        return
    assert model.inputs
    assert model.outputs
