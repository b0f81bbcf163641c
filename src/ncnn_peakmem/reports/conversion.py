"""What became of networks that were converted: sizes, layers, and how near the results come to fp32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter
from rich.table import Table
from rich.text import Text

from ncnn_peakmem.case import Precision
from ncnn_peakmem.reports import quantity


@dataclass(frozen=True, slots=True)
class Converted:
    """A network's files at one precision, or in `failure` why there are none.

    `quantized` of `quantizable` layers are int8, None where the files are not. `cosines` are those against
    fp32 by output, and empty for the network's own files.
    """

    network: str
    precision: Precision
    param_bytes: int = 0
    bin_bytes: int = 0
    quantized: int | None = None
    quantizable: int | None = None
    cosines: Mapping[str, float] = field(default_factory=dict)
    failure: str = ""

    @property
    def cosine(self) -> float | None:
        """The smallest over the outputs."""
        return min(self.cosines.values(), default=None)


def render(rows: Sequence[Converted]) -> Table:
    """A row for each network and precision."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("network", "precision"):
        table.add_column(name, no_wrap=True)
    for name in (".param", ".bin", "int8 layers", "cosine"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(row.network, row.precision, *_cells(row))
    return table


def document(rows: Sequence[Converted]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [_entry(row) for row in rows]


def parse(text: str | bytes) -> tuple[Converted, ...]:
    """What `document` gave, as JSON; `pydantic.ValidationError` where the text is something else."""
    return _ROWS.validate_json(text)


def _cells(row: Converted) -> tuple[str | Text, ...]:
    if row.failure:
        return "", "", "", Text("failed", style="red")
    layers = "" if row.quantized is None else f"{row.quantized} of {row.quantizable}"
    cosine = "" if row.cosine is None else f"{row.cosine:.5f}"
    return quantity.size(row.param_bytes), quantity.size(row.bin_bytes), layers, cosine


def _entry(row: Converted) -> dict[str, Any]:
    told: dict[str, Any] = {"network": row.network, "precision": row.precision.value}
    if row.failure:
        return {**told, "failure": row.failure}
    told |= {"param_bytes": row.param_bytes, "bin_bytes": row.bin_bytes}
    if row.quantized is not None:
        told |= {"quantized": row.quantized, "quantizable": row.quantizable}
    return {**told, "cosines": dict(row.cosines)} if row.cosines else told


_ROWS = TypeAdapter(tuple[Converted, ...])
