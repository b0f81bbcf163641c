"""A wheel file of ncnn, looked at before anything is installed from it."""

from __future__ import annotations

import hashlib
import lzma
import os
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from ncnn_peakmem.runtimes.extension import this_python
from ncnn_peakmem.runtimes.runtime import RuntimeNotFound

# What reading a damaged archive raises beside its own error: each method of compression has its ways, names
# need not be text, sizes and places may be absurd.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    MemoryError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
)


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel that says it is of ncnn: the version in its name, and the SHA-256 of its bytes."""

    path: Path
    version: Version
    digest: str


def look_at(path: Path) -> Wheel:
    """What the file's name and bytes tell; `RuntimeNotFound` where its name says that it is not for us."""
    if not path.is_file():
        raise RuntimeNotFound(f"there is no such file in {Path.cwd()}: build it, or name it by its full path")
    try:
        project, version, _, tags = parse_wheel_filename(path.name)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except InvalidWheelFilename as error:
        raise RuntimeNotFound(f"{error}: give it the name that its build gave it") from error
    except OSError as error:
        raise RuntimeNotFound(f"it cannot be read: {error.strerror}") from error
    if project != "ncnn":
        raise RuntimeNotFound(f"this is a wheel of {project}, not of ncnn")
    if tags.isdisjoint(sys_tags()):
        made_for = "-".join(path.stem.split("-")[-3:])
        raise RuntimeNotFound(
            f"it is for {made_for}, not a supported wheel on this platform: build it for {this_python()}"
        )
    return Wheel(path, version, digest)


def check_whole(path: Path) -> None:
    """Read every file in the wheel; `RuntimeNotFound` where it is cut short or damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except _DAMAGED as error:
        reason = str(error) or type(error).__name__
        raise RuntimeNotFound(f"this is no whole wheel ({reason}): build or download it again") from error
    if damaged is not None:
        name = os.fspath(damaged)
        raise RuntimeNotFound(f"{name} in it is damaged (bad CRC-32): build or download it again")
