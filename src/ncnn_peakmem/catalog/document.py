"""A YAML file read so that every key and every list entry knows its line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ncnn_peakmem import bounded_file
from ncnn_peakmem.catalog.mistake import CatalogError, Location, Mistake, shown

# Reading this much takes some seconds; what is shipped is 6 KiB.
_MOST_BYTES = 256 << 10
_MOST_ENTRIES, _MOST_VALUES = 2_000, 20_000


@dataclass(frozen=True, slots=True)
class Document:
    """The file's plain data, the line of each location, and the mistakes that reading alone shows."""

    path: Path
    value: object
    lines: Mapping[Location, int]
    mistakes: tuple[Mistake, ...]
    folders: tuple[Path, ...] = ()
    """Where the files that it names may lie, in the order in which they are looked for."""

    def at(self, *location: str | int) -> object:
        """The value at a location, or None where there is none."""
        value = self.value
        for part in location:
            match value, part:
                case dict(), str():
                    value = value.get(part)
                case list(), int() if part < len(value):
                    value = value[part]
                case _:
                    return None
        return value

    def table(self, *location: str | int) -> Mapping[str, object]:
        """The mapping at a location, empty where there is none."""
        value = self.at(*location)
        return value if isinstance(value, dict) else {}

    def rows(self, *location: str | int) -> Sequence[object]:
        """The list at a location, empty where there is none."""
        value = self.at(*location)
        return value if isinstance(value, list) else []

    def mistake(self, location: Location, text: str) -> Mistake:
        """A mistake at a location; a key that is missing has the line of what it is missing from."""
        known = location
        while known not in self.lines:
            known = known[:-1]
        return Mistake(self.path, self.lines[known], location, text)


def read(path: Path, model_dir: Path | None = None) -> Document:
    """Read a file; CatalogError where it cannot be read or is no YAML.

    The files that it names lie below its own folder, or below `model_dir`.
    """
    text = _text(path)
    loader: Any = None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        reading = _Reading(path)
        value = None if root is None else reading.plain(root, ())
    except yaml.MarkedYAMLError as error:
        raise CatalogError([_syntax_mistake(path, error)]) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise CatalogError([Mistake(path, line, (), f"{chr(error.character)!r} is no text")]) from error
    except yaml.YAMLError as error:
        raise CatalogError([Mistake(path, 0, (), str(error))]) from error
    except (OverflowError, ValueError) as error:
        if isinstance(error, CatalogError):
            raise
        # PyYAML makes letters of whatever number an escape gives.
        line = _line(loader.get_mark())
        raise CatalogError([Mistake(path, line, (), "has an escape that is no letter")]) from error
    except RecursionError as error:
        raise CatalogError([Mistake(path, 0, (), "is nested too deeply")]) from error
    folders = (path.parent.absolute(), *([model_dir.absolute()] if model_dir else []))
    return Document(path, value, {(): 1, **reading.lines}, tuple(reading.mistakes), folders)


class _Loader(yaml.SafeLoader):
    """Composes nodes with the plain types of YAML 1.2: `off`, `no` and `1:30` are words.

    Aliases are refused because a few lines of them expand to gigabytes, tags because nothing here needs one.
    """

    yaml_implicit_resolvers = {}  # noqa: RUF012 (PyYAML's own hook, declared by its base class)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _refusal(event, f"the alias *{event.anchor} is not allowed; write the value out")
        if getattr(event, "tag", None) is not None:
            raise _refusal(event, f"the tag {event.tag} is not allowed; leave it out")
        return super().compose_node(parent, index)


_SCALARS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "tag:yaml.org,2002:null": (r"~|null|", lambda _: None),
    "tag:yaml.org,2002:bool": (r"true|false", lambda text: text == "true"),
    # Python refuses to read integers of thousands of digits; as floats they fail where they are used.
    "tag:yaml.org,2002:int": (r"[-+]?[0-9]{1,18}", int),
    "tag:yaml.org,2002:float": (r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", float),
}
for _tag, (_pattern, _) in _SCALARS.items():
    _Loader.add_implicit_resolver(_tag, re.compile(rf"(?:{_pattern})\Z"), None)


class _Reading:
    """One walk over a node tree."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[Location, int] = {}
        self.count = 0
        self.mistakes: list[Mistake] = []

    def plain(self, node: yaml.Node, location: Location) -> object:
        """The node's data; keys keep the text they are written in."""
        self.lines.setdefault(location, _line(node.start_mark))
        self._keep_count(node, location)
        if isinstance(node, yaml.MappingNode):
            return self._table(node, location)
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(row, (*location, place)) for place, row in enumerate(node.value)]
        _, convert = _SCALARS.get(node.tag, ("", str))
        return convert(node.value)

    def _table(self, node: yaml.MappingNode, location: Location) -> dict[str, object]:
        table: dict[str, object] = {}
        for key_node, value_node in node.value:
            line = _line(key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode):
                self._complain(line, location, "a key must be text")
                continue
            key = key_node.value
            inner = (*location, key)
            if key in table:
                self._complain(line, inner, f"{shown(key)} is here twice, first in line {self.lines[inner]}")
                continue
            self.lines[inner] = line
            table[key] = self.plain(value_node, inner)
        return table

    def _keep_count(self, node: yaml.Node, location: Location) -> None:
        """What follows compares entries with each other, so that there may not be any number of them."""
        held = 0 if isinstance(node, yaml.ScalarNode) else len(node.value)
        self.count += held
        for count, most, where in (
            (held, _MOST_ENTRIES, f"holds {held} entries"),
            (self.count, _MOST_VALUES, f"is where the file comes to {self.count} entries"),
        ):
            if count > most:
                text = f"{where}; allowed: up to {most}"
                raise CatalogError([Mistake(self.path, _line(node.start_mark), location, text)])

    def _complain(self, line: int, location: Location, text: str) -> None:
        self.mistakes.append(Mistake(self.path, line, location, text))


def _text(path: Path) -> str:
    try:
        return bounded_file.read(path, _MOST_BYTES).decode("utf-8-sig")
    except bounded_file.UnreadableFile as error:
        raise CatalogError([Mistake(path, 0, (), str(error))]) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise CatalogError([Mistake(path, line, (), "is not encoded as UTF-8")]) from error


def _line(mark: yaml.Mark) -> int:
    return mark.line + 1


def _refusal(event: Any, problem: str) -> yaml.MarkedYAMLError:
    return yaml.composer.ComposerError(None, None, problem, event.start_mark)


def _syntax_mistake(path: Path, error: yaml.MarkedYAMLError) -> Mistake:
    mark = error.problem_mark or error.context_mark
    text = ", ".join(filter(None, [error.context, error.problem]))
    return Mistake(path, _line(mark) if mark else 0, (), text)
