"""Mistakes in a catalog file, and how they are worded."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

Location = tuple[str | int, ...]
"""The keys and indices that lead to a value: `("profiles", "quick", 0, "axes", 2)`."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong, and where; `line` counts from 1, 0 is the file as a whole."""

    path: Path
    line: int
    location: Location
    text: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else str(self.path)
        return ": ".join(filter(None, [place, _dotted(self.location), self.text]))


class CatalogError(ValueError):
    """All mistakes found, the topmost first; as text one a line, ready to print."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes, key=lambda mistake: mistake.line))
        super().__init__(self.mistakes)

    def __str__(self) -> str:
        return "\n".join(map(str, self.mistakes))


def shown(value: object) -> str:
    """A value from the file as its author would call it, always on one line."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return repr(value)


def found(value: object, allowed: str) -> str:
    """Say that a value does not fit: `found 'on'; allowed: true, false`."""
    return f"found {shown(value)}; allowed: {allowed}"


def unknown(noun: str, value: object, allowed: Iterable[str]) -> str:
    """Say that there is no such name: `'fp61' is no axis (did you mean 'fp16'?); allowed: bf16, fp16`."""
    names = sorted(map(str, allowed))
    close = get_close_matches(value, names, n=1) if isinstance(value, str) else []
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"{shown(value)} is no {noun}{hint}; allowed: {', '.join(names) or 'none, the file has none'}"


def _dotted(location: Location) -> str:
    steps = (f"[{part}]" if isinstance(part, int) else f".{_key(part)}" for part in location)
    return "".join(steps).removeprefix(".")


def _key(text: str) -> str:
    return text if re.fullmatch(r"[\w/+-]+", text) else repr(text)
