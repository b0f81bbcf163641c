"""Counts cut into pieces of given widths."""

from __future__ import annotations


def pieces(count: int, widths: tuple[int, ...]) -> int:
    """How many pieces `count` is cut into, the widest first; the last width is 1, or divides what is left."""
    found = 0
    for width in widths:
        found += count // width
        count %= width
    return found
