"""Sizes and percentages as people write them."""

from __future__ import annotations

import re

from ncnn_peakmem.catalog.mistake import found, shown

_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_SIZE = re.compile(rf"([0-9]{{1,15}}) *({'|'.join(_UNITS)})")
_PERCENTAGE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,15})?) *%")


def size(value: object) -> int:
    """Bytes from `16 KiB`, `4MiB` or a plain 16384; ValueError says what is allowed."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(found(value, "whole bytes such as 16384, or a size such as 16 KiB, 4 MiB, 1 GiB"))
    return int(match[1]) * _UNITS[match[2]]


def fraction(value: object) -> float:
    """A share from `0.1 %` (0.001); ValueError says what is allowed, and that a bare number is not."""
    match = _PERCENTAGE.fullmatch(value) if isinstance(value, str) else None
    if match is not None:
        return float(match[1]) / 100
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"found {shown(value)} without a %; allowed: a percentage such as 0.1 %")
    raise ValueError(found(value, "a percentage such as 0.1 %"))
