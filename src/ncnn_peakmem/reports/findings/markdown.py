"""Pieces of GitHub-flavoured Markdown, and ranges of figures in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ncnn_peakmem.reports import quantity

_SYNTAX = re.compile(r"[|<>&`*~\[\]\\]")


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, names: int = 1) -> list[str]:
    """A table whose first columns are names, to the left, and all others figures, to the right."""
    rule = ["---" if place < names else "---:" for place in range(len(header))]
    return [_row(cells) for cells in (header, rule, *rows)] + [""]


def code(text: str) -> str:
    """Text that is meant literally."""
    return f"`{text}`"


def plain(text: str) -> str:
    """Text that may hold anything, with all that would be read as markup written as entities, on one line."""
    return _SYNTAX.sub(lambda match: f"&#{ord(match.group())};", " ".join(text.split()))


def folded(summary: str, lines: Iterable[str]) -> list[str]:
    """Lines that are out of sight until their summary is clicked."""
    return [f"<details><summary>{summary}</summary>", "", *lines, "</details>", ""]


def differences(changes: Sequence[int]) -> str:
    """Such as `+4.00 MiB`, or `+4.00 to +5.12 MiB` where they are not all the same."""
    return _range(quantity.difference(min(changes)), quantity.difference(max(changes)))


def percents(values: Iterable[float | None]) -> str:
    """Such as `+19.9 %` or `+3.6 to +3.8 %`, without those that grew from nothing."""
    known = [value for value in values if value is not None]
    if not known:
        return quantity.percent(None)
    return _range(quantity.percent(min(known)), quantity.percent(max(known)))


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _range(least: str, most: str) -> str:
    if least == most:
        return least
    number, unit = least.rsplit(" ", 1)
    return f"{number if most.endswith(f' {unit}') else least} to {most}"
