"""Files that are written as a whole or not at all."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

_ADVICE = "see that there is room and that you may write there"
_ADVISED = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
_NAMED_WRONG = {errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP}
_LINKS_TO_WHAT_IS_OPEN = (Path("/dev"), Path("/proc"))


def write(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write a file that others see as it was or as it becomes, whatever stops us midway.

    `durable` is for what must outlive a power cut. `OSError`, with a text that names the file and the reason,
    where it cannot be written: it is then as it was.
    """
    try:
        if _replaceable(path):
            _replace(Path(os.path.realpath(path)), data, durable=durable)
        else:
            path.write_bytes(data)
    except OSError as error:
        raise not_written(path, error) from error


def append(path: Path, data: bytes) -> None:
    """Append to a file, all or, where it cannot be written (`OSError`, as above), nothing."""
    place = Path(os.path.realpath(path))
    new = not path.exists()
    before = path.stat().st_size if path.is_file() else None
    try:
        with path.open("ab") as stream:
            stream.write(data)
    except BaseException as error:
        with suppress(OSError):
            if new:
                place.unlink()
            elif before is not None:
                os.truncate(path, before)
        if isinstance(error, OSError):
            raise not_written(path, error) from error
        raise


def not_written(path: Path, error: OSError) -> OSError:
    """The same error with a text for people."""
    return OSError(f"{path} was not written: {_with_advice(error)}")


def is_for_people(error: OSError) -> bool:
    """Whether it tells of a disk or a folder that cannot be used, and not of a mistake of ours."""
    return error.errno is None or error.errno in _ADVISED | _NAMED_WRONG


def in_words(error: OSError) -> str:
    """What a disk or a folder could not do, where, and what to do about it if anything is known."""
    if error.strerror is None:
        return str(error)
    place = f"{error.filename}: " if error.filename is not None else ""
    return f"{place}{_with_advice(error)}"


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


def _with_advice(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{reason}: {_ADVICE}" if error.errno in _ADVISED else reason


def _replaceable(path: Path) -> bool:
    """Whether another file may take its place, unlike that of a device, a pipe or /dev/stdout."""
    if path.is_symlink():
        here = path.absolute()
        if any(here.is_relative_to(folder) for folder in _LINKS_TO_WHAT_IS_OPEN):
            return False
    return path.is_file() or not path.exists()


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
