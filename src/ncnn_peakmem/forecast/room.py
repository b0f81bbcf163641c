"""What the machine has left for a process, and whether a network can fit into it at all."""

from __future__ import annotations

import re
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ncnn_peakmem.control_groups import memory_groups
from ncnn_peakmem.forecast.prediction import Forecast

_MIB, _GIB = 2**20, 2**30


@dataclass(frozen=True, slots=True)
class Room:
    """So many bytes, and what sets the limit, such as `available memory` or `a control group`."""

    bytes: int
    limit: str


def room(root: Path = Path("/")) -> Room | None:
    """The tightest of what the kernel has, what the control groups above leave, and the address-space limit.

    Read from `/proc` and `/sys` under `root`; None where none of it can be told. Pages of files that can be
    dropped count as free.
    """
    found = [*_available(root), *_left_by_groups(root), *_address_space()]
    return min(found, key=lambda limit: limit.bytes, default=None)


def admits(forecast: Forecast, has: Room | None) -> str:
    """Empty if the network may fit, else why not: `forecast 1.1 GiB, but 0.5 GiB are available (...)`.

    Refuses only where even the forecast's lower bound is above what there is: near the edge ncnn decides.
    """
    if has is None or forecast.lower_bound <= has.bytes:
        return ""
    return f"forecast {_written(forecast.peak.bytes)}, but {_written(has.bytes)} are available ({has.limit})"


def _written(size: int) -> str:
    return f"{size / _GIB:.1f} GiB" if size >= _GIB // 4 else f"{size / _MIB:.1f} MiB"


def _available(root: Path) -> Iterator[Room]:
    match = re.search(r"^MemAvailable:\s*(\d+) kB$", _text(root / "proc/meminfo"), re.MULTILINE)
    if match:
        yield Room(int(match[1]) * 1024, "available memory")


def _address_space() -> Iterator[Room]:
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        yield Room(soft, "the address space")


def _left_by_groups(root: Path) -> Iterator[Room]:
    for group in memory_groups(root):
        if group.used_bytes is not None:
            yield Room(max(0, group.limit_bytes - group.used_bytes), "a control group")


def _text(path: Path) -> str:
    """The file's text, empty where there is none: then it sets no limit."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
