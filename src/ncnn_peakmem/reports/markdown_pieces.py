"""Pieces of GitHub-flavoured Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

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


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
