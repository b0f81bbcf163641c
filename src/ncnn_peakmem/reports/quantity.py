"""Bytes, percentages and counts, written for people."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

_KIB = 1024
_MIB = 1024 * 1024


def size(count: int) -> str:
    """Such as `25.37 MiB`, `21.7 KiB` or `512 B`."""
    # The unit is chosen after rounding, so that nothing reads `1024.0 KiB`.
    if round(abs(count) / _KIB, 1) >= _KIB:
        return f"{count / _MIB:.2f} MiB"
    if abs(count) >= _KIB:
        return f"{count / _KIB:.1f} KiB"
    return f"{count} B"


def difference(count: int) -> str:
    """A size with its sign: `+4.21 MiB`, `-12.0 KiB`, `+0 B`."""
    return ("+" if count >= 0 else "") + size(count)


def differences(changes: Sequence[int]) -> str:
    """Such as `+4.00 MiB`, or `+4.00 to +5.12 MiB` where they are not all the same."""
    return _range(difference(min(changes)), difference(max(changes)))


def percent(value: float | None) -> str:
    """Such as `+19.9 %`, with digits enough that no change reads as zero; None is growth from nothing."""
    if value is None:
        return "from 0"
    if value == 0:
        return "+0 %"
    digits = 1 if abs(value) >= 0.1 else -math.floor(math.log10(abs(value)))
    return f"{value:+.{digits}f} %"


def percents(values: Iterable[float | None]) -> str:
    """Such as `+19.9 %` or `+3.6 to +3.8 %`, without those that grew from nothing."""
    known = [value for value in values if value is not None]
    if not known:
        return percent(None)
    return _range(percent(min(known)), percent(max(known)))


def counted(count: int, noun: str) -> str:
    """Such as `1 case` or `2 cases`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _range(least: str, most: str) -> str:
    if least == most:
        return least
    number, unit = least.rsplit(" ", 1)
    return f"{number if most.endswith(f' {unit}') else least} to {most}"
