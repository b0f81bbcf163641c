"""The files of an installed build, held against what its installer wrote down of them."""

from __future__ import annotations

import base64
import csv
import hashlib
from pathlib import Path, PurePosixPath

_LOADED = (("ncnn",), ("ncnn.libs",))


def changed_since_installed(folder: Path) -> tuple[str, ...]:
    """The files of the package in a folder that pip installed ncnn into, and that are not what it put there.

    Only what a probe loads counts: pip puts a wheel's programs elsewhere than it writes down. What was put
    there by hand is not written down, and taken as it is. `OSError` where a file cannot be read.
    """
    return tuple(
        name
        for record in folder.glob("ncnn-*.dist-info/RECORD")
        for name, digest in _listed(record).items()
        if not (folder / name).is_file() or _digest(folder / name) != digest
    )


def _listed(record: Path) -> dict[str, str]:
    """The files of a RECORD that a probe loads, with the SHA-256 that is written down of them."""
    rows = csv.reader(record.read_text(encoding="utf-8", errors="replace").splitlines())
    hashed = ((row[0], row[1].partition("=")) for row in rows if len(row) > 1)
    return {name: digest for name, (kind, _, digest) in hashed if kind == "sha256" and _is_loaded(name)}


def _is_loaded(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return parts[:1] in _LOADED and ".." not in parts


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
