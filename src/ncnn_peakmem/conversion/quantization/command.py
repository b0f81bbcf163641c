"""How the quantizer is called, as a process of its own: what a bench runs as a stage."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ncnn_peakmem.network import Calibration, InputBlob

MODULE = "ncnn_peakmem.conversion.quantization"


def arguments(
    param: Path,
    bin: Path,  # noqa: A002 - the file's kind, as everywhere
    inputs: Iterable[InputBlob],
    calibration: Calibration,
    out_param: Path,
    out_bin: Path,
    *,
    gemm: bool,
    report: Path | None = None,
    out_table: Path | None = None,
) -> list[str]:
    """What follows `python -m ncnn_peakmem.conversion.quantization`; the result goes to `report` as JSON."""
    options = {
        "--method": calibration.method.value,
        "--inputs": calibration.inputs,
        "--data": calibration.data and calibration.data.absolute(),
        "--table": calibration.table and calibration.table.absolute(),
        "--report": report,
        "--out-table": out_table,
    }
    given = [word for name, value in options.items() if value is not None for word in (name, str(value))]
    files = [str(file) for file in (param, bin, out_param, out_bin)]
    return [*files, *input_arguments(inputs), *given, *(["--gemm"] if gemm else [])]


def input_arguments(inputs: Iterable[InputBlob]) -> list[str]:
    """Inputs as options: `--input in0=3,224,224`."""
    return [word for blob in inputs for word in ("--input", f"{blob.name}={','.join(map(str, blob.shape))}")]


def input_blob(text: str) -> InputBlob:
    """An input out of `in0=3,224,224`. Raises ValueError."""
    name, _, sizes = text.rpartition("=")
    shape = tuple(int(size) for size in sizes.split(","))
    if not name or min(shape) < 1:
        raise ValueError(text)
    return InputBlob(name, shape)
