"""A catalog with a mistake in it, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ncnn_peakmem.catalog import CatalogError, load

Write = Callable[..., Path]
Mistake = tuple[str, str, str]
"""What stands in the valid catalog, what comes in its place, and what is said of that."""

NETWORK = "{topology: alexnet}"
GRID = "    - {networks: all, axes: [lightmode], threads: [1]}\n"


def each(mistakes: Sequence[Mistake]) -> pytest.MarkDecorator:
    """Give a test the parameters of each mistake, and of what is said of it as its id."""
    return pytest.mark.parametrize(
        ("old", "new", "complaint"), mistakes, ids=[complaint for *_, complaint in mistakes]
    )


def changed(write: Write, old: str, new: str) -> tuple[Path, int]:
    """A catalog in which `new` stands in place of `old`, and the line that is to blame."""
    start = write().read_text(encoding="utf-8").index(old)
    path = write((old, new))
    return path, blamed_line(path, start)


def blamed_line(path: Path, start: int) -> int:
    """The line with the marker `#!`, or else the one on which the change starts."""
    text = path.read_text(encoding="utf-8")
    return text.count("\n", 0, text.index("#!") if "#!" in text else start) + 1


def complaints(path: Path) -> list[str]:
    """What is said of a catalog that cannot be loaded, line by line."""
    with pytest.raises(CatalogError) as caught:
        load(path)
    return str(caught.value).splitlines()
