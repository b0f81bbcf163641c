"""The releases of ncnn that can be had, and the ways to name some of them. Pure."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from ncnn_peakmem.runtimes.runtime import RuntimeNotFound

LATEST, PREVIOUS = "latest", "previous"
_WAYS = f"a date such as 20240820, a version such as 1.0.20240820, `{LATEST}` or `{PREVIOUS}`"


def named(name: str) -> Version:
    """The version that a date (`20240820`) or a version names; `InvalidVersion` where it is neither."""
    return Version(re.sub(r"^\s*(\d{8})\s*$", r"1.0.\1", name))


def in_order(versions: Iterable[str]) -> tuple[str, ...]:
    """Oldest first, each once, without pre-releases and what cannot be ordered."""
    known: dict[Version, str] = {}
    for version in versions:
        try:
            known.setdefault(Version(version), version)
        except InvalidVersion:
            continue
    return tuple(known[version] for version in sorted(known) if not version.is_prerelease)


@dataclass(frozen=True, slots=True)
class Releases:
    """Releases that this Python can install, oldest first; `note` says why the list may be out of date."""

    versions: tuple[str, ...]
    note: str = ""

    @property
    def latest(self) -> str:
        """The newest release; `RuntimeNotFound` where there is none."""
        if not self.versions:
            raise RuntimeNotFound("no release of ncnn is known for this Python")
        return self.versions[-1]

    def before(self, version: str) -> str:
        """The newest release that is older than a version, which need not be a release itself."""
        place = bisect_left(self._ordered, self._end(version))
        if place == 0:
            raise RuntimeNotFound(f"no release of ncnn is older than {version}: {self._there_are}")
        return self.versions[place - 1]

    def one(self, name: str) -> str:
        """The release that a date, a version, `latest` or `previous` names.

        `RuntimeNotFound` where it is no release, or not the name of one: a range, a list, `all`.
        """
        version = self._end(name.strip())
        place = bisect_left(self._ordered, version)
        if self._ordered[place : place + 1] != [version]:
            nearest = " and ".join(self.versions[max(0, place - 1) : place + 1]) or "none"
            raise RuntimeNotFound(
                f"{name} is no release of ncnn that this Python can install; the nearest: {nearest}"
            )
        return self.versions[place]

    def select(self, text: str) -> tuple[str, ...]:
        """The releases that a text names, oldest first, each once.

        `all`, or a list of names and ranges: `20240820,1.0.20241226,latest,previous`, `A..B`, `A..`, `..B`.
        Both ends of a range belong to it and need not be releases. `RuntimeNotFound` where a name is no
        release or a range holds none.
        """
        parts = [part for part in map(str.strip, text.split(",")) if part]
        if not parts:
            raise RuntimeNotFound(f"{text!r} names no release: give `all`, {_WAYS}, or a range such as A..B")
        chosen = {version for part in parts for version in self._part(part)}
        return tuple(version for version in self.versions if version in chosen)

    def _part(self, part: str) -> tuple[str, ...]:
        if part == "all":
            return self._range("", "", part)
        first, dots, last = part.partition("..")
        return self._range(first.strip(), last.strip(), part) if dots else (self.one(part),)

    def _range(self, first: str, last: str, part: str) -> tuple[str, ...]:
        start = bisect_left(self._ordered, self._end(first)) if first else 0
        stop = bisect_right(self._ordered, self._end(last)) if last else len(self.versions)
        if start >= stop:
            raise RuntimeNotFound(f"no release of ncnn is in {part}: {self._there_are}")
        return self.versions[start:stop]

    def _end(self, name: str) -> Version:
        """The version that a name stands for, whether it was released or not."""
        if name == LATEST:
            return Version(self.latest)
        if name == PREVIOUS:
            return Version(self.before(self.latest))
        try:
            return named(name)
        except InvalidVersion:
            raise RuntimeNotFound(f"{name!r} names no release of ncnn: give {_WAYS}") from None

    @property
    def _ordered(self) -> list[Version]:
        return [Version(version) for version in self.versions]

    @property
    def _there_are(self) -> str:
        return f"there are {', '.join(self.versions)}" if self.versions else "none is known"
