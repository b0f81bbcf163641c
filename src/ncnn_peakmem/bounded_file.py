"""A file that somebody else may have written, read without waiting for it and no further than it may go."""

from __future__ import annotations

import os
import stat
from pathlib import Path


class UnreadableFile(ValueError):
    """Why a file cannot be read, in words that follow its name: `cannot be read: Permission denied`."""


def read(path: Path, most_bytes: int) -> bytes:
    """The content of a plain file of up to `most_bytes`; `UnreadableFile` where it is anything else."""
    try:
        with open(path, "rb", opener=_open) as file:
            plain = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            content = file.read(most_bytes + 1) if plain else b""
    except OSError as error:
        raise UnreadableFile(f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UnreadableFile(f"cannot be read: {error}") from error
    if not plain:
        raise UnreadableFile("cannot be read: it is no plain file")
    if len(content) > most_bytes:
        raise UnreadableFile(f"is larger than {_written(most_bytes)}")
    return content


def _open(path: str, flags: int) -> int:
    """A pipe that nobody writes to would keep a plain `open` waiting."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _written(count: int) -> str:
    return f"{count >> 20} MiB" if count >> 20 else f"{count >> 10} KiB"
