"""What became of networks that were converted: sizes, layers, and how near the results come to fp32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter
from rich.table import Table
from rich.text import Text

from ncnn_peakmem.case import Precision
from ncnn_peakmem.conversion.comparison import Likeness
from ncnn_peakmem.reports import quantity


@dataclass(frozen=True, slots=True)
class Converted:
    """A network's files at one precision, or in `failure` why there are none.

    `quantized` of `quantizable` layers are int8, None where the files are not. `likenesses` tell of each
    output how near it comes to that of fp32, and are empty for the network's own files.
    """

    network: str
    precision: Precision
    param_bytes: int = 0
    bin_bytes: int = 0
    quantized: int | None = None
    quantizable: int | None = None
    likenesses: tuple[Likeness, ...] = ()
    failure: str = ""

    @property
    def cosine(self) -> float | None:
        """The mean over the inputs, of the output where it is smallest."""
        return min((found.cosine for found in self.likenesses), default=None)

    @property
    def worst(self) -> float | None:
        """The smallest over all inputs and outputs."""
        return min((found.worst for found in self.likenesses), default=None)

    @property
    def centred(self) -> float | None:
        """As `cosine`, of the differences from the mean output; None where no output has any."""
        return min((found.centred for found in self.likenesses if found.centred is not None), default=None)


def render(rows: Sequence[Converted]) -> Table:
    """A row for each network and precision."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("network", "precision"):
        table.add_column(name, no_wrap=True)
    for name in (".param", ".bin", "int8 layers", "cosine", "worst", "centred"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(row.network, row.precision, *_cells(row))
    return table


def document(rows: Sequence[Converted]) -> Any:
    """The same for programs; `parse` reads its JSON."""
    return _ROWS.dump_python(tuple(rows), mode="json", exclude_defaults=True)


def parse(text: str | bytes) -> tuple[Converted, ...]:
    """What `document` gave, as JSON; `pydantic.ValidationError` where the text is something else."""
    return _ROWS.validate_json(text)


def _cells(row: Converted) -> tuple[str | Text, ...]:
    if row.failure:
        return "", "", "", Text("failed", style="red"), "", ""
    layers = "" if row.quantized is None else f"{row.quantized} of {row.quantizable}"
    cosines = ("" if cosine is None else f"{cosine:.5f}" for cosine in (row.cosine, row.worst, row.centred))
    return quantity.size(row.param_bytes), quantity.size(row.bin_bytes), layers, *cosines


_ROWS = TypeAdapter(tuple[Converted, ...])
