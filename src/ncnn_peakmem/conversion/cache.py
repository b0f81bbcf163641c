"""The cache of converted networks, addressed by all that a conversion depends on.

    <root>/models/<network>-<key>/    net.param  net.bin  entry.json
                                      net.onnx of what came from ONNX; net.table  quantization.json of int8
    <root>/locks/<network>-<key>.lock
    <root>/logs/<network>-<key>/      one log a stage
    <root>/onnx/<path>/               what a user's ONNX file was when last inspected

An entry is filled beside its place and renamed into it, so it is there as a whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import filelock
import platformdirs
from pydantic import TypeAdapter, ValidationError

from ncnn_peakmem import bounded_file, whole_file
from ncnn_peakmem.conversion.bench import Progress
from ncnn_peakmem.conversion.ncnn_files import model_digest
from ncnn_peakmem.network import InputBlob, ModelFiles

ROOT_VARIABLE = "NCNN_PEAKMEM_CACHE_DIR"
_RUN = PARAM, BIN = "net.param", "net.bin"
_BESIDE = ONNX, TABLE, REPORT = "net.onnx", "net.table", "quantization.json"
_RECORD = "entry.json"
_SCHEMA = 1
_MOST_RECORD_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Key:
    """A network's name and all that its converted files depend on, as JSON values."""

    network: str
    ingredients: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """The sha256 over the ingredients in canonical JSON."""
        canonical = json.dumps(self.ingredients, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def folder_name(self) -> str:
        """A readable name that no other key has, safe whatever characters the network's name holds."""
        return f"{re.sub(r'[^A-Za-z0-9_]', '_', self.network)[:64]}-{self.digest[:16]}"


@dataclass(frozen=True, slots=True)
class Interface:
    """The ends of a converted network, and the digest of what its peak depends on."""

    inputs: tuple[InputBlob, ...]
    outputs: tuple[str, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a file was when it was converted."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Record:
    """An entry's `entry.json`."""

    schema: int
    network: str
    key: dict[str, Any]
    interface: Interface
    files: dict[str, FileFacts]


_RECORDS = TypeAdapter(Record)


@dataclass(frozen=True, slots=True)
class Entry:
    """One converted network in the cache."""

    folder: Path
    record: Record

    @property
    def model(self) -> ModelFiles:
        """The ncnn files; what they were made from or with lies beside them."""
        ends = self.record.interface
        return ModelFiles(self.folder / PARAM, self.folder / BIN, ends.inputs, ends.outputs, ends.digest)


class Cache:
    """Converted networks in a folder, shared by all processes of a user."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = Path(root or os.environ.get(ROOT_VARIABLE) or _at_home()).absolute()
        self._hashed: dict[Path, tuple[tuple[int, ...], ...]] = {}

    def entry(self, key: Key, fill: Callable[[Path, Path], Interface], progress: Progress) -> Entry:
        """Give the entry of a key; where there is none, or a damaged one, make it.

        `fill(folder, logs)` puts `net.param`, `net.bin` and what is kept beside them into an empty folder.
        Of several processes that ask at once one fills and the others wait for it.
        """
        place = self.root / "models" / key.folder_name
        if isinstance(found := self._sound(place), Entry):
            return found
        with self._locked(key, progress):
            if isinstance(found := self._sound(place), Entry):
                return found
            if found:
                progress(f"{key.network}: the cached files are damaged ({found}), converting again")
            return self._filled(place, key, fill, progress)

    def entries(self) -> Iterator[Entry]:
        """Every whole entry, by name."""
        for place in sorted((self.root / "models").glob("*")):
            if not place.suffix and isinstance(found := _open(place), Entry):
                yield found

    def _sound(self, place: Path) -> Entry | str | None:
        """Give the entry at a place once its files are known to be what was converted; see `_open`.

        What a probe reads is hashed the first time that this object gives it, and when it was touched since:
        a second for a gigabyte, which the first probe would else spend on reading it from the disk.
        """
        found = _open(place)
        if not isinstance(found, Entry):
            return found
        try:
            stamps = _stamps(place)
            damage = "" if self._hashed.get(place) == stamps else _damage(found)
        except OSError as error:
            damage = str(error)
        if damage:
            return damage
        self._hashed[place] = stamps
        return found

    @contextmanager
    def _locked(self, key: Key, progress: Progress) -> Iterator[None]:
        locks = self.root / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(locks / f"{key.folder_name}.lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            progress(f"{key.network}: waiting for another process converting {key.network}")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _filled(
        self, place: Path, key: Key, fill: Callable[[Path, Path], Interface], progress: Progress
    ) -> Entry:
        began = time.monotonic()
        place.parent.mkdir(parents=True, exist_ok=True)
        # The lock is held: what lies beside the place was left behind by a process that was killed.
        _sweep_beside(place)
        # The name is new each time: a killed process's tools may still be writing into the last one.
        partial = _beside(place)
        partial.mkdir()
        try:
            interface = fill(partial, self.root / "logs" / key.folder_name)
            facts = {name: _facts(partial / name) for name in _present(partial)}
            record = Record(_SCHEMA, key.network, dict(key.ingredients), interface, facts)
            (partial / _RECORD).write_bytes(_RECORDS.dump_json(record, indent=2))
            _flush(partial)
            if place.exists():
                place.rename(_beside(place))
            partial.rename(place)
            whole_file.flush_folder(place.parent)
        finally:
            _sweep_beside(place)
        progress(f"{key.network}: converted in {time.monotonic() - began:.0f} s")
        return Entry(place, record)


def _at_home() -> str:
    """The folder for it among a user's caches."""
    try:
        chosen = platformdirs.user_cache_dir("ncnn-peakmem")
    except RuntimeError:
        chosen = "~"
    if chosen.startswith("~"):
        raise OSError(f"there is no home folder to keep a cache in: set {ROOT_VARIABLE} to a folder")
    return chosen


def entry_of(model: ModelFiles) -> Entry | None:
    """The entry of a cache that a model's files are; None where they are a user's own."""
    found = _open(model.param.parent)
    is_its = isinstance(found, Entry) and replace(model, detections=()) == found.model
    return found if isinstance(found, Entry) and is_its else None


def verify(entry: Entry, names: Iterable[str] = ()) -> tuple[str, ...]:
    """Hash files of an entry, all by default; give the names of those that are not what was converted."""
    return tuple(
        name
        for name in tuple(names) or entry.record.files
        if not (entry.folder / name).is_file() or _facts(entry.folder / name) != entry.record.files[name]
    )


def _open(place: Path) -> Entry | str | None:
    """Give the entry at a place, or in words what damages it, or None if nothing is there."""
    if not place.exists():
        return None
    try:
        record = _RECORDS.validate_json(bounded_file.read(place / _RECORD, _MOST_RECORD_BYTES))
    except (bounded_file.UnreadableFile, ValidationError):
        return f"{_RECORD} is unreadable"
    if record.schema != _SCHEMA or not {*_RUN} <= {*record.files} <= {*_RUN, *_BESIDE}:
        return f"{_RECORD} is not of schema {_SCHEMA}"
    for name in record.files:
        try:
            size = (place / name).stat().st_size
        except OSError:
            return f"{name} is missing"
        if size != record.files[name].size:
            return f"{name} has {size} bytes, not {record.files[name].size}"
    return Entry(place, record)


def _damage(entry: Entry) -> str:
    """What a probe reads of an entry and is not what was converted, in words."""
    if changed := verify(entry, _RUN):
        return f"{changed[0]} is not what was converted"
    ends = entry.record.interface
    if ends.digest != model_digest(entry.folder / PARAM, entry.folder / BIN, ends.inputs):
        return f"{_RECORD} is not of these files"
    return ""


def _stamps(place: Path) -> tuple[tuple[int, ...], ...]:
    status = [(place / name).stat() for name in (*_RUN, _RECORD)]
    return tuple((file.st_ino, file.st_size, file.st_mtime_ns, file.st_ctime_ns) for file in status)


def _present(folder: Path) -> tuple[str, ...]:
    return *_RUN, *(name for name in _BESIDE if (folder / name).exists())


def _beside(place: Path) -> Path:
    return place.with_name(f"{place.name}.{uuid.uuid4().hex}")


def _sweep_beside(place: Path) -> None:
    for stale in place.parent.glob(f"{place.name}.*"):
        shutil.rmtree(stale, ignore_errors=True)


def _facts(file: Path) -> FileFacts:
    with file.open("rb") as content:
        return FileFacts(file.stat().st_size, hashlib.file_digest(content, "sha256").hexdigest())


def _flush(folder: Path) -> None:
    for file in folder.iterdir():
        with file.open("rb") as content:
            os.fsync(content.fileno())
    whole_file.flush_folder(folder)
