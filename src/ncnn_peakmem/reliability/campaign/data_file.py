"""The campaign's data: JSON lines, the setting first, then a line a probe as soon as it is judged."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ncnn_peakmem import bounded_file, whole_file
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.network import Loops
from ncnn_peakmem.reliability.campaign.trial import Anchor, Setting, Subject, Trial

SCHEMA = 1
"""The version of the file format.

1. Every line is an object with one key, which tells its kind: `setting` (the first line, with `schema`
   beside it), `anchor` or `trial`. Fields that have their default are left out.
"""


# A probe takes some 300.
_MOST_BYTES = 64 << 20


class CampaignError(ValueError):
    """A campaign that cannot go on, or data that cannot be used; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Record:
    """All that a data file holds."""

    setting: Setting
    anchors: dict[Subject, Anchor]
    trials: tuple[Trial, ...]


class DataFile:
    """A file that grows by a line a probe; what a kill has cut short is written anew."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Record | None:
        """What is there, None where there is nothing. `CampaignError` names the line that makes no sense."""
        if not self.path.exists():
            return None
        try:
            text = bounded_file.read(self.path, _MOST_BYTES)
        except bounded_file.UnreadableFile as error:
            raise CampaignError(f"{self.path} {error}") from error
        # The last piece is empty, or a line that was cut short.
        lines = text.split(b"\n")[:-1]
        if not lines:
            return None
        setting: Setting | None = None
        anchors: dict[Subject, Anchor] = {}
        trials: list[Trial] = []
        for number, line in enumerate(lines, start=1):
            row = self._row(number, line)
            if isinstance(row, Anchor):
                anchors[row.subject] = row
            elif isinstance(row, Trial):
                trials.append(row)
            else:
                setting = row
            if setting is None:
                raise self._wrong(number, "the first line must tell the setting")
            if isinstance(row, Trial) and row.subject not in anchors:
                raise self._wrong(number, f"{row.case} {row.gauge} has no anchor before its first trial")
        assert setting is not None
        return Record(setting, anchors, tuple(trials))

    @contextmanager
    def growing(self, setting: Setting) -> Iterator[Record]:
        """Keep the file for oneself, and begin it where it is new: what it holds by now.

        `CampaignError` where another campaign writes it, or where it is of another setting.
        """
        try:
            file = self.path.open("ab")
        except OSError as error:
            raise CampaignError(f"{self.path}: {error.strerror}") from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CampaignError(f"{self.path}: another campaign writes it at this moment") from None
            found = self.read()
            self._cut_short()
            if found is None:
                self.add(setting)
                found = Record(setting, {}, ())
            if found.setting != setting:
                raise CampaignError(
                    f"{self.path}: its campaign was run in another setting "
                    f"({_differing(found.setting, setting)}): name a new file, or go on there"
                )
            yield found

    def add(self, row: Setting | Anchor | Trial) -> None:
        """Write one line."""
        whole_file.append(self.path, _line(row))

    def _cut_short(self) -> None:
        """Take away a last line that has no end."""
        with self.path.open("r+b") as file:
            file.truncate(file.read().rfind(b"\n") + 1)

    def _row(self, number: int, line: bytes) -> Setting | Anchor | Trial:
        try:
            document: dict[str, Any] = json.loads(line)
            schema = document.pop("schema", SCHEMA)
            if schema != SCHEMA:
                raise self._wrong(number, f"has schema {schema}, and only {SCHEMA} can be read")
            ((kind, body),) = document.items()
            row: Setting | Anchor | Trial = _ROWS[kind].validate_json(json.dumps(body))
            return row
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise self._wrong(number, f"{place}: {first['msg']}") from error
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            if isinstance(error, CampaignError):
                raise
            raise self._wrong(number, "is no row of a campaign") from error

    def _wrong(self, number: int, reason: str) -> CampaignError:
        return CampaignError(f"{self.path}:{number}: {reason}")


def _differing(there: Setting, here: Setting) -> str:
    """The fields that two settings differ in, each with both values."""
    pairs = ((field.name, getattr(there, field.name), getattr(here, field.name)) for field in fields(Setting))
    return ", ".join(
        f"{name} {_in_words(before)}, now {_in_words(now)}" for name, before, now in pairs if before != now
    )


def _in_words(value: object) -> str:
    if isinstance(value, MachineClass):
        return value.id
    if isinstance(value, Loops):
        return f"{value.minimum} to {value.maximum}, settling {value.settle_factor:g}"
    return str(value) or "unknown"


def _line(row: Setting | Anchor | Trial) -> bytes:
    kind = type(row).__name__.lower()
    body = _ROWS[kind].dump_python(row, mode="json", exclude_defaults=True)
    head = {"schema": SCHEMA} if isinstance(row, Setting) else {}
    return json.dumps({**head, kind: body}, separators=(",", ":")).encode() + b"\n"


_ROWS: dict[str, TypeAdapter[Any]] = {
    "setting": TypeAdapter(Setting),
    "anchor": TypeAdapter(Anchor),
    "trial": TypeAdapter(Trial),
}
