"""The control groups that this process is in, as far as they limit memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Without a limit version 1 tells the largest number of pages there could be.
_NO_LIMIT = 1 << 60


@dataclass(frozen=True, slots=True)
class MemoryGroup:
    """A group that sets a limit, in bytes; `used_bytes` leaves out what the kernel may drop, None untold."""

    limit_bytes: int
    used_bytes: int | None


def memory_groups(root: Path = Path("/")) -> Iterator[MemoryGroup]:
    """Those that limit memory, a process's own and those above, as `/proc` and `/sys` under `root` tell.

    Version 2 has one hierarchy, without a name; version 1 one for memory, maybe with other controllers.
    """
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            base, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            base = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        group = base / path.strip("/")
        for folder in (group, *group.parents):
            yield from _in(folder, *names)
            if folder == base:
                break


def _in(folder: Path, limit: str, used: str, droppable: str) -> Iterator[MemoryGroup]:
    limit_text, used_text = _text(folder / limit).strip(), _text(folder / used).strip()
    # `max` is no limit either.
    if limit_text.isdigit() and int(limit_text) < _NO_LIMIT:
        match = re.search(rf"^{droppable} (\d+)$", _text(folder / "memory.stat"), re.MULTILINE)
        dropped = int(match[1]) if match else 0
        taken = max(0, int(used_text) - dropped) if used_text.isdigit() else None
        yield MemoryGroup(int(limit_text), taken)


def _text(path: Path) -> str:
    """The file's text, empty where there is none: then it sets no limit."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
