"""Bytes as a `.param` file: a graph that is written and read again as it was, or ParamFileError."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from ncnn_peakmem import param_file

TOKENS = ("7767517", "Input", "Split", "0 1 ", "1 1 ", "-23303=", '6="', ",", "=", "e+05", "\r\n", "\ufeff")

_folder = TemporaryDirectory(prefix="ncnn-peakmem-fuzz-")


def one_input(data: bytes) -> None:
    """Read, write, read."""
    path = Path(_folder.name, "net.param")
    path.write_bytes(data)
    try:
        network = param_file.read(path)
    except param_file.ParamFileError as error:
        assert str(error).startswith(f"{path}:")
        return
    network.inputs(), network.outputs()
    again = param_file.parse(param_file.format(network))
    assert [(layer.type, layer.bottoms, layer.tops) for layer in again.layers] == [
        (layer.type, layer.bottoms, layer.tops) for layer in network.layers
    ]
    # Nine digits are float32's, so that a longer float is rounded once, and stays so.
    assert param_file.parse(param_file.format(again)) == again
