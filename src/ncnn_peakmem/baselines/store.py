"""Where baselines are kept: `<folder>/<machine class id>/<ncnn version>.json`, reviewed like code."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from packaging.version import Version

from ncnn_peakmem import bounded_file, whole_file
from ncnn_peakmem.baselines import record
from ncnn_peakmem.baselines.record import BaselineError
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import Gauge, Measurement, MeasurementSet

# A thousand cases make three MiB: what is so large is no baseline, and is not read into memory.
_MOST_FILE_BYTES = 64 * 2**20
_LOCK_TIMEOUT_S = 60.0
_LOCK_POLL_S = 0.02


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
        """Store the gauges of the cases that ran, and leave all others as they are.

        `OSError` where the file cannot be written: it is then as it was.
        """
        path = self.path(measured.machine, _version(measured.ncnn, self.folder))
        if not any(measurement.readings for measurement in measured.cases.values()):
            return Update(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise whole_file.not_written(path, error) from error
        with _locked(path):
            stored = _load(path).cases if path.exists() else {}
            cases, dropped = _merge(stored, measured.cases)
            data = record.render(MeasurementSet(measured.ncnn, measured.machine, cases))
            # Figures that could not be read back must not replace ones that can.
            record.parse(data, path)
            # The lock says that nobody is at one now.
            whole_file.remove_drafts(path)
            whole_file.write(path.resolve(), data, durable=True)
        return Update(path, dropped)


def read(path: Path) -> MeasurementSet:
    """A baseline file wherever it lies; `BaselineError` where it cannot be used."""
    try:
        data = bounded_file.read(path, _MOST_FILE_BYTES)
    except bounded_file.UnreadableFile as error:
        raise BaselineError(path, f"{error}: {record.RESTORE}") from error
    return record.parse(data, path)


def _load(path: Path) -> MeasurementSet:
    stored = read(path)
    if stored.machine.id != path.parent.name:
        raise BaselineError(
            path,
            f"holds figures of another machine class, {stored.machine.id}: "
            f"move it into the folder of that name, or {record.RESTORE}",
        )
    if str(_version(stored.ncnn, path)) != path.stem:
        raise BaselineError(
            path,
            f"holds figures of another ncnn version, {stored.ncnn}: "
            f"name the file after it, or {record.RESTORE}",
        )
    return stored


def _version(text: str, path: Path) -> Version:
    try:
        return Version(text)
    except ValueError:
        raise BaselineError(path, f"{text!r} is not a version such as 1.0.20240410: rename it") from None


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
    """Keep other runs from updating the files beside it, whoever runs them.

    The folder itself is locked: a lock file would be committed with the baselines, and one among the
    temporary files is not seen by a run that has others. Those have to do where folders cannot be locked, as
    on NFS.
    """
    with ExitStack() as held:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        held.callback(os.close, folder)
        try:
            if not _lock_in_time(folder):
                told = f"has been locked by another update for {_LOCK_TIMEOUT_S:.0f} s: update again after it"
                raise BaselineError(path, told)
        except OSError:
            held.enter_context(FileLock(_lock_file(path)))
        yield


def _lock_in_time(descriptor: int) -> bool:
    """Lock what is open; False where another has it for too long, `OSError` where it cannot be locked."""
    deadline = time.monotonic() + _LOCK_TIMEOUT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOCK_POLL_S)
        else:
            return True


def _lock_file(path: Path) -> Path:
    """Its folder carries the user's number: in a sticky folder nobody may lock a file that is another's."""
    digest = hashlib.sha256(os.fsencode(path.parent.resolve())).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"ncnn-peakmem-locks-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{digest}.lock"
