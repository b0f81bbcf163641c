"""The text of one baseline file: JSON with one number a line, in an order that never moves."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from packaging.version import Version
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from ncnn_peakmem.case import is_id
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import (
    STORED,
    Caveat,
    Gauge,
    Measurement,
    MeasurementSet,
    Metric,
    Outcome,
    Phase,
    Reading,
)

SCHEMA = 1
"""The version of the file format.

1. Per case the model's digest; per gauge the outcome, loops, settled_at, caveats (only where there
   are any) and the stored metrics of every phase, gross, phase `import` (the floor) included.
"""

RESTORE = "restore it from version control, or remove it and measure again with an update"
"""What to do about a damaged file."""

# No process holds more: 48 bits is all the address space that today's Linux gives one by default.
_MOST_BYTES = 2**48
_MOST_LOOPS = 2**31
# A case has up to 77.
_MOST_ENTRIES = 1_000_000
_MOST_MISTAKES = 10_000

# No line of a JSON document can begin like this: a string may not hold a bare line break.
_CONFLICT = re.compile(r"^(?:<{7}|\|{7}|={7}|>{7})", re.MULTILINE)


class BaselineError(ValueError):
    """A baseline file that cannot be used; the message names the file, and the line where it can be had."""

    def __init__(self, path: Path, reason: str, line: int | None = None) -> None:
        place = f"{path}:{line}" if line else f"{path}"
        super().__init__(f"{place}: {reason}")
        self.path = path
        self.line = line


def render(measured: MeasurementSet) -> bytes:
    """The file's text: only metrics worth storing, cases by id, all else in the order of its enum."""
    document = {
        "schema": SCHEMA,
        "ncnn": measured.ncnn,
        "machine": {name: getattr(measured.machine, name) for name in MachineClass.__dataclass_fields__},
        "cases": {case: _case_document(measured.cases[case]) for case in sorted(measured.cases)},
    }
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    # A cause may quote a model's stray bytes; they must not keep the figures from being stored.
    return text.encode(errors="replace")


def parse(data: bytes, path: Path) -> MeasurementSet:
    """Read what `render` wrote; `path` is only named in a `BaselineError`."""
    text = _text(data, path)
    schema = _document(text, path).get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        line = _line_of(text, ["schema"])
        raise BaselineError(path, "was written by a newer ncnn-peakmem; upgrade to read it", line)
    try:
        # A second parse, because only pydantic's own tells a strict 1 from 1.0 and takes enums as strings.
        return _File.model_validate_json(text).measured()
    except ValidationError as error:
        raise _invalid(error, text, path) from None


def _case_document(measurement: Measurement) -> dict[str, Any]:
    readings = [(gauge, measurement.readings[gauge]) for gauge in Gauge if gauge in measurement.readings]
    return {
        "model": measurement.model,
        "readings": {gauge: _reading_document(gauge, reading) for gauge, reading in readings},
    }


def _reading_document(gauge: Gauge, reading: Reading) -> dict[str, Any]:
    outcome = reading.outcome
    told = {"kind": outcome.kind, "cause": outcome.cause, "phase": outcome.phase}
    caveats = {"caveats": [*reading.caveats]} if reading.caveats else {}
    return {
        "outcome": "ok" if outcome.ok else told,
        "loops": reading.loops,
        "settled_at": reading.settled_at,
        **caveats,
        "phases": {
            phase: {metric: metrics[metric] for metric in STORED[gauge] if metric in metrics}
            for phase in Phase
            if (metrics := reading.phases.get(phase)) is not None
        },
    }


def _known_caveat(name: object) -> Caveat:
    if name not in list(Caveat):
        raise ValueError(f"{name!r} is not a caveat")
    return Caveat(str(name))


def _checked_id(text: str) -> str:
    if not is_id(text):
        raise ValueError(f"{text[:80]!r} is not the id of a case")
    return text


def _checked_version(text: str) -> str:
    try:
        Version(text)
    except ValueError:
        raise ValueError(f"{text[:80]!r} is not a version such as 1.0.20240410") from None
    return text


def _ok_in_short(outcome: object) -> object:
    return {"kind": "ok"} if outcome == "ok" else outcome


def _stored_only(readings: dict[Gauge, _Reading]) -> dict[Gauge, _Reading]:
    if not readings:
        raise ValueError("the case has no readings")
    for gauge, reading in readings.items():
        for phase, metrics in reading.phases.items():
            if stray := [metric for metric in metrics if metric not in STORED[gauge]]:
                raise ValueError(f"{gauge} has no {stray[0]} (in {phase})")
    return readings


_Bytes = Annotated[int, Field(ge=0, le=_MOST_BYTES)]
_Count = Annotated[int, Field(ge=0, le=_MOST_LOOPS)]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
_CaseId = Annotated[str, AfterValidator(_checked_id)]
_Version = Annotated[str, StringConstraints(max_length=64), AfterValidator(_checked_version)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Reading(_Strict):
    outcome: Annotated[Outcome, BeforeValidator(_ok_in_short)]
    loops: _Count
    settled_at: _Count
    caveats: tuple[Annotated[Caveat, BeforeValidator(_known_caveat)], ...] = ()
    phases: dict[Phase, dict[Metric, _Bytes]]

    def reading(self) -> Reading:
        return Reading(self.outcome, self.phases, self.loops, self.settled_at, self.caveats)


class _Case(_Strict):
    model: _Name
    readings: Annotated[dict[Gauge, _Reading], AfterValidator(_stored_only)]


class _File(_Strict):
    version: Annotated[int, Field(alias="schema", ge=SCHEMA)]
    ncnn: _Version
    machine: MachineClass
    cases: dict[_CaseId, _Case]

    def measured(self) -> MeasurementSet:
        cases = {
            name: Measurement(name, case.model, {g: stored.reading() for g, stored in case.readings.items()})
            for name, case in self.cases.items()
        }
        return MeasurementSet(self.ncnn, self.machine, cases)


def _text(data: bytes, path: Path) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BaselineError(path, f"is not a text file in UTF-8: {RESTORE}", line) from None
    if conflict := _CONFLICT.search(text):
        line = text.count("\n", 0, conflict.start()) + 1
        advice = "still has merge-conflict markers: take one side, or measure again with an update"
        raise BaselineError(path, advice, line)
    return text


def _document(text: str, path: Path) -> dict[str, Any]:
    """The bare document, once it is known to be JSON in which no key hides another of its name."""
    repeated: list[str] = []
    count = 0

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal count
        count += len(pairs)
        if count > _MOST_ENTRIES:
            raise ValueError(f"it has more than {_MOST_ENTRIES} entries")
        document = dict(pairs)
        if len(document) < len(pairs):
            counts = Counter(key for key, _ in pairs)
            repeated.extend(key for key in counts if counts[key] > 1)
        return document

    try:
        document = json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        told = f"is not whole JSON, was it cut short? {error.msg}: {RESTORE}"
        raise BaselineError(path, told, error.lineno) from None
    except (RecursionError, ValueError) as error:
        raise BaselineError(path, f"is not a baseline: {error}: {RESTORE}") from None
    if repeated:
        twice = repeated[0]
        raise BaselineError(path, f"has the key {twice!r} twice: {RESTORE}", _line_of_second(text, twice))
    if not isinstance(document, dict):
        raise BaselineError(path, f"is not a baseline: a JSON object was expected: {RESTORE}", 1)
    return document


def _invalid(error: ValidationError, text: str, path: Path) -> BaselineError:
    if error.error_count() > _MOST_MISTAKES:
        # Each takes more memory to tell than its place in the file.
        return BaselineError(path, f"has {error.error_count()} mistakes, so it is no baseline: {RESTORE}")
    first, *others = error.errors(include_url=False)
    place = first["loc"]
    # The line of a key that is not there can only be its parent's.
    line = _line_of(text, place[:-1] if first["type"] == "missing" else place)
    more = f" (and {len(others)} more)" if others else ""
    where = " > ".join(str(part) for part in place)
    return BaselineError(path, f"{where}: {first['msg']}{more}: {RESTORE}", line)


def _line_of(text: str, place: Iterable[object]) -> int:
    """The line of a key, found by walking to it through the keys that lead there."""
    at = 0
    for part in place:
        found = text.find(_as_key(part), at)
        at = found if found >= 0 else at
    return text.count("\n", 0, at) + 1


def _line_of_second(text: str, key: str) -> int | None:
    """The line of a key's second appearance, where the text has no third to confuse it with."""
    name = _as_key(key)
    return text.count("\n", 0, text.rfind(name)) + 1 if text.count(name) == 2 else None


def _as_key(part: object) -> str:
    return json.dumps(str(part), ensure_ascii=False) + ":"
