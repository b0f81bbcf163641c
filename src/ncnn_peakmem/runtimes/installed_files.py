"""The files of an installed build, held against what its installer wrote down of them."""

from __future__ import annotations

import base64
import csv
import hashlib
from pathlib import Path


def changed_since_installed(folder: Path) -> tuple[str, ...]:
    """The files in a folder that pip installed ncnn into, and that are not what it put there.

    What was put there by hand is not written down, and taken as it is. `OSError` where a file cannot be read.
    """
    return tuple(
        name
        for record in folder.glob("ncnn-*.dist-info/RECORD")
        for name, digest in _listed(record).items()
        if not (folder / name).is_file() or _digest(folder / name) != digest
    )


def _listed(record: Path) -> dict[str, str]:
    """The files of a RECORD that have a SHA-256, which all but itself have."""
    rows = csv.reader(record.read_text(encoding="utf-8", errors="replace").splitlines())
    hashed = ((row[0], row[1].partition("=")) for row in rows if len(row) > 1)
    return {name: digest for name, (kind, _, digest) in hashed if kind == "sha256"}


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
