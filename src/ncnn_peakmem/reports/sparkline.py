"""A row of figures as a row of blocks."""

from __future__ import annotations

from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"
_GAP = "·"


def sparkline(figures: Sequence[int | None]) -> str:
    """A block a figure, the smallest lowest and the largest highest; `·` where there is none."""
    known = [figure for figure in figures if figure is not None]
    least = min(known, default=0)
    reach = max(known, default=0) - least
    return "".join(_GAP if figure is None else _block(figure - least, reach) for figure in figures)


def _block(above: int, reach: int) -> str:
    return _BLOCKS[round(above / reach * (len(_BLOCKS) - 1))] if reach else _BLOCKS[0]
