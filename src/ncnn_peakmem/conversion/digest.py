"""What files hold, as sha256 in hex; hashed once in a process as long as their stamps stay."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path


def of_file(path: Path) -> str:
    """The digest of a file's content. OSError where it cannot be read."""
    status = path.stat()
    return _hashed(path.absolute(), (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))


@functools.lru_cache(maxsize=4096)
def _hashed(path: Path, _stamp: tuple[int, ...]) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
