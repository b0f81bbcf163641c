"""An ONNX file: its inputs, its external data, and the hashes that name its content.

A user's file is inspected and hashed once; a memo of both holds as long as no file's stamp changes.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ncnn_peakmem import bounded_file, whole_file
from ncnn_peakmem.conversion.bench import Bench
from ncnn_peakmem.conversion.error import Stage
from ncnn_peakmem.network import Shape

MOST_RESULT_BYTES = 1 << 20
"""What is read of an inspection's result: a thousand inputs and data files with long names."""

_INSPECTION = "ncnn_peakmem.conversion.onnx_inspection"
_MEMO_SCHEMA = 1
# Protobuf takes no larger ones.
_MOST_MODEL_BYTES = 2 << 30


@dataclass(frozen=True, slots=True)
class OnnxInput:
    """An input as the model declares it: a size in words is dynamic, and without any even the rank is."""

    name: str
    sizes: tuple[int | str, ...] | None

    @property
    def shape(self) -> Shape | None:
        """The shape, where all of it is fixed."""
        fixed = tuple(size for size in self.sizes or ("?",) if isinstance(size, int))
        return fixed if self.sizes and len(fixed) == len(self.sizes) else None


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """A model's inputs and the external data files that it names, relative to its folder."""

    inputs: tuple[OnnxInput, ...]
    data: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Memo:
    schema: int
    stamps: tuple[tuple[int, ...], ...]
    model: OnnxModel
    hashes: tuple[str, ...]


_MODELS = TypeAdapter(OnnxModel)
_MEMOS = TypeAdapter(_Memo)


def inspect(path: Path, bench: Bench) -> OnnxModel:
    """Look into a model. Raises ConversionError where it could not be converted rightly."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "model.json")
        replace(bench, folder=Path(folder)).python(Stage.INSPECT, _INSPECTION, path, result)
        try:
            return parse(bounded_file.read(result, MOST_RESULT_BYTES))
        except bounded_file.UnreadableFile as error:
            raise bench.error(Stage.INSPECT, f"what {path} says of its inputs {error}") from error


def parse(result: bytes) -> OnnxModel:
    """What the inspection wrote."""
    return _MODELS.validate_json(result)


def identify(path: Path, memos: Path, bench: Bench) -> tuple[OnnxModel, tuple[str, ...]]:
    """Inspect a model and hash it and then its data files; `memos` is a folder of the cache."""
    path = path.absolute()
    if not path.is_file():
        raise bench.error(Stage.INSPECT, f"{path} is not a file", advice="correct the path in models.yaml")
    if path.stat().st_size > _MOST_MODEL_BYTES:
        raise bench.error(Stage.INSPECT, f"{path} is larger than ONNX's 2 GB in one file")
    memos = memos / hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    memo = _recall(memos)
    if memo is None or memo.stamps != _stamps(path, memo.model):
        stamp = _stamp(path)
        model = inspect(path, replace(bench, logs=memos))
        # Stamped before hashed: a change in between makes the memo stale, not wrong.
        stamps = (stamp, *_stamps(path, model)[1:])
        memo = _Memo(_MEMO_SCHEMA, stamps, model, tuple(map(_hash, _files(path, model))))
        _remember(memos, memo)
    return memo.model, memo.hashes


def _files(path: Path, model: OnnxModel) -> list[Path]:
    return [path, *(path.parent / location for location in model.data)]


def _stamps(path: Path, model: OnnxModel) -> tuple[tuple[int, ...], ...]:
    return tuple(map(_stamp, _files(path, model)))


def _stamp(file: Path) -> tuple[int, ...]:
    try:
        status = file.stat()
    except OSError:
        return ()
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _hash(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _recall(folder: Path) -> _Memo | None:
    try:
        memo = _MEMOS.validate_json((folder / "memo.json").read_bytes())
    except (OSError, ValidationError):
        return None
    return memo if memo.schema == _MEMO_SCHEMA else None


def _remember(folder: Path, memo: _Memo) -> None:
    whole_file.write(folder / "memo.json", _MEMOS.dump_json(memo))
