"""Bytes as an ONNX file: inputs and external data that the parent can read, or a refusal in words.

In a conversion this runs in a process of its own.
"""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from ncnn_peakmem.conversion import onnx_file, onnx_inspection

TOKENS = ("location", "offset", "length", "../../etc/passwd", "/etc/passwd", "version https://git-lfs")

_folder = TemporaryDirectory(prefix="ncnn-peakmem-fuzz-")


def one_input(data: bytes) -> None:
    """Inspect, and read the result as the parent does."""
    folder = Path(_folder.name, "model")
    folder.mkdir(exist_ok=True)
    (folder / "data").write_bytes(bytes(64))
    model, result = folder / "net.onnx", Path(_folder.name, "model.json")
    model.write_bytes(data)
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            onnx_inspection.main(str(model), str(result))
        except SystemExit as refusal:
            assert refusal.code == os.EX_DATAERR
            assert said.getvalue().strip()
            return
    for location in onnx_file.parse(result.read_bytes()).data:
        assert (folder / location).resolve().is_relative_to(folder.resolve())
