"""One ncnn build, and how it is told that there is none."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from packaging.version import InvalidVersion, Version

Progress = Callable[[str], None]


class RuntimeNotFound(ValueError):
    """There is no such ncnn build to be had; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """One ncnn build: its version and the file that holds the module `ncnn.ncnn`.

    `origin` is the wheel file or the directory as the user named it, empty for the installed ncnn and for
    releases. `RuntimeNotFound` where the version cannot be ordered among others.
    """

    version: str
    module: Path
    origin: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        try:
            Version(self.version)
        except InvalidVersion:
            raise RuntimeNotFound(
                f"{self.module.name} calls itself version {self.version!r}, "
                "which is none such as 1.0.20260526"
            ) from None

    @property
    def release(self) -> Version:
        """The version, to be ordered."""
        return Version(self.version)

    @property
    def title(self) -> str:
        """Such as `1.0.20261020`, or `1.0.20261123 (dist/ncnn.whl)` for a build of one's own."""
        return f"{self.version} ({self.origin})" if self.origin else self.version

    @property
    def digest(self) -> str:
        """SHA-256 of the module's file, which tells builds apart that share a version."""
        try:
            with self.module.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise RuntimeNotFound(f"{self.module}: {error.strerror}: name the ncnn build again") from error


@contextmanager
def about(subject: object) -> Iterator[None]:
    """Put what it is about before the text of a `RuntimeNotFound`."""
    try:
        yield
    except RuntimeNotFound as error:
        raise RuntimeNotFound(f"{subject}: {error}") from error
