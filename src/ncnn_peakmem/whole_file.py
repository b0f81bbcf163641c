"""Files that are written as a whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

_ADVICE = "see that there is room and that you may write there"


def write(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write a file that others see as it was or as it becomes, whatever stops us midway.

    `durable` is for what must outlive a power cut. `OSError`, with a text that names the file and the reason,
    where it cannot be written: it is then as it was.
    """
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            # Such as /dev/stdout: nothing may take its place.
            path.write_bytes(data)
        else:
            _replace(path, data, durable=durable)
    except OSError as error:
        raise not_written(path, error) from error


def append(path: Path, data: bytes) -> None:
    """Append to a file, all or, where it cannot be written (`OSError`, as above), nothing."""
    before = path.stat().st_size if path.is_file() else None
    try:
        with path.open("ab") as stream:
            stream.write(data)
    except OSError as error:
        if before is not None:
            with suppress(OSError):
                os.truncate(path, before)
        raise not_written(path, error) from error


def not_written(path: Path, error: OSError) -> OSError:
    """The same error with a text for people."""
    return OSError(f"{path} was not written: {error.strerror or error}: {_ADVICE}")


def in_words(error: OSError) -> str:
    """What a disk or a folder could not do, where, and what to do about it."""
    if error.strerror is None:
        return str(error)
    place = f"{error.filename}: " if error.filename is not None else ""
    return f"{place}{error.strerror}: {_ADVICE}"


def remove_drafts(path: Path) -> None:
    """Remove what writers of this file left that were killed midway; none may be at it now."""
    for draft in path.parent.glob(f".{path.name}.*.tmp"):
        draft.unlink(missing_ok=True)


def flush_folder(folder: Path) -> None:
    """Have the names in a folder outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(path: Path, data: bytes, *, durable: bool) -> None:
    draft = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        with draft.open("xb") as stream:
            stream.write(data)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    if durable:
        flush_folder(path.parent)
