"""Bytes as `models.yaml`: a catalog whose profiles span cases, or CatalogError."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from ncnn_peakmem import catalog

TOKENS = (
    *("schema", "default_profile", "reference_release", "step_timeout_seconds", "loops", "networks"),
    *("axes", "profiles", "tolerances", "topology", "onnx", "param", "bin", "input_shapes", "precision"),
    *("except", "precisions", "cover", "pairwise", "calibration", "method", "table", "budget", "steady"),
    *("choices", "default", "id", "always", "threads", "all", "heap", "same_release", "absolute"),
    *("16 KiB", "0.1 %", "&a", "*a", "!!python/object:os.system", "<<: ", "---", "? ", "| ", "../", "/etc/"),
    *('"\\ud800"', '"\\U00110000"', "1e999", "-1", "[[", "]]", "{", "}", ": ", "- "),
)

_folder = TemporaryDirectory(prefix="ncnn-peakmem-fuzz-")


def one_input(data: bytes) -> None:
    """Load, and span every profile."""
    path = Path(_folder.name, "models.yaml")
    path.write_bytes(data)
    try:
        known = catalog.load(path)
    except catalog.CatalogError as error:
        assert error.mistakes
        assert str(path) in str(error)
        return
    ids = known.all_case_ids()
    assert ids
    assert all("/" not in case and len(case) < 240 for case in ids)
