"""Where baselines are kept: `<folder>/<machine class id>/<ncnn version>.json`, reviewed like code."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout
from packaging.version import InvalidVersion, Version

from ncnn_peakmem.baselines import record
from ncnn_peakmem.baselines.record import BaselineError
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import Gauge, Measurement, MeasurementSet

# A thousand cases make three MiB: what is so large is no baseline, and is not read into memory.
_MOST_FILE_BYTES = 64 * 2**20
_LOCK_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Update:
    """What an update wrote, and the (case, gauge) figures of an outdated model that it had to drop."""

    path: Path
    dropped: tuple[tuple[str, Gauge], ...] = ()


@dataclass(frozen=True, slots=True)
class BaselineStore:
    """The baselines under one folder. What cannot be read raises `BaselineError` and is left as it is."""

    folder: Path

    def machine_classes(self) -> tuple[str, ...]:
        """The ids of the machine classes that have a baseline, in alphabetical order."""
        return tuple(sorted({path.parent.name for path in self.folder.glob("[!.]*/[!.]*.json")}))

    def path(self, machine: MachineClass, version: Version) -> Path:
        """The file that holds, or would hold, the baselines of one ncnn version on one machine class."""
        return self.folder / machine.id / f"{version}.json"

    def versions(self, machine: MachineClass) -> tuple[Version, ...]:
        """The ncnn versions that have a baseline on this machine class, oldest first."""
        paths = (self.folder / machine.id).glob("[!.]*.json")
        return tuple(sorted(_version(path.stem, path) for path in paths))

    def load(self, machine: MachineClass, version: Version) -> MeasurementSet:
        """The baselines of one ncnn version on one machine class."""
        return _load(self.path(machine, version))

    def update(self, measured: MeasurementSet) -> Update:
        """Store the gauges of the cases that ran, and leave all others as they are."""
        path = self.path(measured.machine, _version(measured.ncnn, self.folder))
        if not any(measurement.readings for measurement in measured.cases.values()):
            return Update(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            stored = _load(path).cases if path.exists() else {}
            cases, dropped = _merge(stored, measured.cases)
            data = record.render(MeasurementSet(measured.ncnn, measured.machine, cases))
            # Figures that could not be read back must not replace ones that can.
            record.parse(data, path)
            _remove_drafts(path)
            _replace(path, data)
        return Update(path, dropped)


def read(path: Path) -> MeasurementSet:
    """A baseline file wherever it lies; `BaselineError` where it cannot be used."""
    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST_FILE_BYTES + 1)
    except OSError as error:
        raise BaselineError(path, f"cannot be read: {error.strerror}") from error
    if len(data) > _MOST_FILE_BYTES:
        raise BaselineError(path, f"is larger than {_MOST_FILE_BYTES // 2**20} MiB, so it is not a baseline")
    return record.parse(data, path)


def _load(path: Path) -> MeasurementSet:
    stored = read(path)
    if stored.machine.id != path.parent.name:
        raise BaselineError(path, f"holds figures of another machine class, {stored.machine.id}")
    if str(_version(stored.ncnn, path)) != path.stem:
        raise BaselineError(path, f"holds figures of another ncnn version, {stored.ncnn}")
    return stored


def _version(text: str, path: Path) -> Version:
    try:
        return Version(text)
    except InvalidVersion:
        raise BaselineError(path, f"{text!r} is not a version such as 1.0.20240410") from None


def _merge(
    stored: Mapping[str, Measurement], measured: Mapping[str, Measurement]
) -> tuple[dict[str, Measurement], tuple[tuple[str, Gauge], ...]]:
    """The cases to store, and the readings of the stored ones that belong to a model no longer measured."""
    cases = dict(stored)
    dropped: list[tuple[str, Gauge]] = []
    for case, fresh in measured.items():
        if not fresh.readings:
            continue
        old = cases.get(case, fresh)
        kept = {gauge: reading for gauge, reading in old.readings.items() if gauge not in fresh.readings}
        if old.model != fresh.model:
            dropped.extend((case, gauge) for gauge in kept)
            kept = {}
        cases[case] = Measurement(case, fresh.model, {**kept, **fresh.readings})
    return cases, tuple(dropped)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other runs of this user from updating the file.

    The lock lies among the temporary files, for beside the baselines it would be committed with them, and
    deleting it after use would let two waiters lock two different files of one name. Its folder carries the
    user's number, because in a sticky folder nobody may lock a file that is another's.
    """
    digest = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]
    lock = Path(tempfile.gettempdir()) / f"ncnn-peakmem-locks-{os.getuid()}" / f"{digest}.lock"
    lock.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        with FileLock(lock, timeout=_LOCK_TIMEOUT_S):
            yield
    except Timeout:
        raise BaselineError(path, f"has been locked by another update for {_LOCK_TIMEOUT_S:.0f} s") from None


def _remove_drafts(path: Path) -> None:
    """What an update left that was killed midway; the lock says that nobody is at it now."""
    for draft in path.parent.glob(f".{path.name}.*.tmp"):
        draft.unlink(missing_ok=True)


def _replace(path: Path, data: bytes) -> None:
    """Write the file whole or not at all, whatever stops us midway."""
    draft = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        with draft.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
