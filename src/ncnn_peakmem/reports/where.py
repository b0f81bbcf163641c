"""Where a heap grew, in a few lines for a red test."""

from __future__ import annotations

from collections.abc import Iterator

from ncnn_peakmem.gate.growth import Place, Where
from ncnn_peakmem.reports import quantity

_MOST_NAMED = 2


def lines(where: Where) -> list[str]:
    """Such as `load_model: conv 1x1 1024->1024 (convrelu_13), weights held twice while packing  +4 MiB`."""
    if where.trouble:
        return [f"cannot be told: {' '.join(where.trouble.split())}"]
    told = [line for place in where.places for line in _place(place)]
    return told or ["run once more, both builds hold the same"]


def _place(place: Place) -> Iterator[str]:
    grew = [growth for growth in place.growths if growth.bytes > 0]
    rest = place.growths[len(grew[:_MOST_NAMED]) :]
    for number, growth in enumerate(grew[:_MOST_NAMED], start=1):
        line = f"{place.phase}: {growth.where}, {growth.kind}  {quantity.difference(growth.bytes)}"
        if rest and number == len(grew[:_MOST_NAMED]):
            total = sum(other.bytes for other in rest)
            line += f"   ({len(rest)} more: {quantity.difference(total)})"
        yield line
