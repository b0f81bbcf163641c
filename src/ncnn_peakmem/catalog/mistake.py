"""Mistakes in a catalog file, and how they are worded."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

_MOST_SHOWN = 100
_MOST_CHARACTERS = 100
_MOST_NAMED = 40
_MOST_LIKENED = 200

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
        lines = [str(mistake) for mistake in self.mistakes[:_MOST_SHOWN]]
        if len(self.mistakes) > _MOST_SHOWN:
            lines.append(f"... and {len(self.mistakes) - _MOST_SHOWN} more")
        return "\n".join(lines)


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
            written = repr(value)
            return written if len(written) <= _MOST_CHARACTERS else f"{written[:_MOST_CHARACTERS]}..."


def found(value: object, allowed: str) -> str:
    """Say that a value does not fit: `found 'on'; allowed: true, false`."""
    return f"found {shown(value)}; allowed: {allowed}"


def unknown(noun: str, value: object, allowed: Iterable[str]) -> str:
    """Say that there is no such name: `'fp61' is no axis (did you mean 'fp16'?); allowed: bf16, fp16`."""
    names = sorted(map(str, allowed))
    # Looking for likenesses takes long among many names, or long ones.
    likened = isinstance(value, str) and len(value) <= _MOST_CHARACTERS and len(names) <= _MOST_LIKENED
    close = get_close_matches(str(value), names, n=1) if likened else []
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    more = f", ... and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    listed = ", ".join(names[:_MOST_NAMED]) or "none, the file has none"
    return f"{shown(value)} is no {noun}{hint}; allowed: {listed}{more}"


def _dotted(location: Location) -> str:
    steps = (f"[{part}]" if isinstance(part, int) else f".{_key(part)}" for part in location)
    return "".join(steps).removeprefix(".")


def _key(text: str) -> str:
    return text if re.fullmatch(r"[\w/+-]{1,100}", text) else shown(text)
