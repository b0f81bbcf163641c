"""Folders that a process owns for as long as it lives, so that those of dead ones can be told and removed.

The owner holds a lock on the folder itself, which the kernel drops however the owner ends. Neither clocks nor
process ids are asked: both may be another's in a container.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

# As long as it is: the path of a child's folder is in its memory, and eight letters more moved six pages.
_PREFIX = "peakmem-work-"


class OwnedFolder:
    """A new folder in `parent`, owned by this process."""

    def __init__(self, parent: Path, prefix: str) -> None:
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            # Whoever removes what nobody owns may see it first: before it is opened, or before it is locked.
            try:
                self._descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:
                continue
            except OSError:
                self.path.rmdir()
                raise
            _lock(self._descriptor, fcntl.LOCK_EX)
            if self.path.exists():
                return
            os.close(self._descriptor)

    def release(self) -> None:
        """Own it no longer, and remove it if nothing is in it."""
        os.close(self._descriptor)
        try:
            self.path.rmdir()
        except OSError:
            return


class ScratchFolder(OwnedFolder):
    """One in `parent`, by default among the temporary files, that goes with its context.

    A process's first one there sweeps up what killed processes left.
    """

    def __init__(self, parent: Path | None = None) -> None:
        parent = parent or Path(tempfile.gettempdir())
        _sweep_once(parent)
        super().__init__(parent, _PREFIX)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        self.release()


def remove_unowned(folder: Path) -> bool:
    """Remove a folder of this user's whose owner is dead; whether it had to go."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        ours = os.fstat(descriptor).st_uid == os.getuid()
        if not ours or not _lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB):
            return False
        shutil.rmtree(folder, ignore_errors=True)
        return True
    finally:
        os.close(descriptor)


@cache
def _sweep_once(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        remove_unowned(folder)


def _lock(descriptor: int, how: int) -> bool:
    """Lock a folder; False where another has it, or where the file system has no such locks."""
    try:
        fcntl.flock(descriptor, how)
    except OSError:
        return False
    return True
