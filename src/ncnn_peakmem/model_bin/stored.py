"""The arrays of a `.bin` where they lie in it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ncnn_peakmem.model_bin.layers import KNOWN, slots
from ncnn_peakmem.model_bin.slot import Slot
from ncnn_peakmem.model_bin.storage import CODEBOOK_BYTES, Storage, of_tag
from ncnn_peakmem.param_file import Graph, ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TAG_BYTES = 4


class ModelBinError(ValueError):
    """A `.bin` that does not belong to its `.param`; the message begins with the file's name."""


class CutShort(ModelBinError):
    """The file ends before all that the layers read of it."""


class BytesLeft(ModelBinError):
    """The file goes on after all that the layers read of it, which ncnn does not mind."""


class UnknownLayer(ModelBinError):
    """A layer of a type of which it is not known what it reads."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One array of a file: `size` bytes from `offset` on, its tag and its padding among them."""

    slot: Slot
    storage: Storage
    offset: int
    size: int
    file: Path

    def read(self) -> NDArray[Any]:
        """The numbers: int8 as int8, all else as float32. fp32 and int8 stay in the file until looked at."""
        import numpy as np

        match self.storage:
            case Storage.INT8:
                return self._map("<i1", self._start)
            case Storage.FP16:
                return self._map("<f2", self._start).astype(np.float32)
            case Storage.CODEBOOK:
                table = self._map("<f4", self._start, CODEBOOK_BYTES // 4)
                return np.asarray(table[self._map("<u1", self._start + CODEBOOK_BYTES)], np.float32)
            case _:
                return self._map("<f4", self._start)

    def raw(self) -> memoryview:
        """All its bytes as they are, tag and padding among them."""
        return self._map("u1", self.offset, self.size).data

    @property
    def _start(self) -> int:
        return self.offset + (_TAG_BYTES if self.slot.tagged else 0)

    def _map(self, kind: str, offset: int, count: int | None = None) -> NDArray[Any]:
        # Most who ask what a file holds never look into it.
        import numpy as np

        count = self.slot.count if count is None else count
        # An empty piece of a file cannot be mapped.
        return np.memmap(self.file, kind, "r", offset, (count,)) if count else np.empty(0, kind)


def walk(graph: Graph, file: Path) -> Iterator[Stored]:
    """Each array of a file, in order. ModelBinError names the layer, the array and the byte where it breaks.

    `CutShort`, `UnknownLayer`, and, once all were given, `BytesLeft` are its kinds. Only tags are read.
    """
    try:
        with open(file, "rb", opener=_open) as content:
            status = os.fstat(content.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ModelBinError(f"{file} cannot be read: it is no plain file")
            yield from _walk(graph, file, content, status.st_size)
    except OSError as error:
        raise ModelBinError(f"{file} cannot be read: {error.strerror}") from error


def _walk(graph: Graph, file: Path, content: BinaryIO, file_bytes: int) -> Iterator[Stored]:
    offset = 0
    for layer in graph.layers:
        if layer.type not in KNOWN:
            cause = f"it is not known what layer {layer.name!r} of type {layer.type} reads"
            raise UnknownLayer(f"{file}: {cause} from byte {offset} on")
        try:
            wanted = slots(layer)
        except ParameterError as error:
            raise ModelBinError(f"{file}: {error}") from error
        for slot in wanted:
            if slot.count < 0:
                raise ModelBinError(
                    f"{file}: the {slot.role} of layer {slot.layer!r} has {slot.count} numbers"
                )
            storage = _tag(content, offset) if slot.tagged else Storage.FP32
            tag_bytes = _TAG_BYTES if slot.tagged else 0
            # Without a whole tag it is at least that which is missing.
            size = tag_bytes + (storage.size(slot.count) if storage else 0)
            if offset + size > file_bytes or storage is None:
                raise CutShort(
                    f"{file} is cut short: the {slot.role} of layer {slot.layer!r} needs {size} bytes "
                    f"from byte {offset} on, and the file ends after {file_bytes - offset} of them"
                )
            yield Stored(slot, storage, offset, size, file)
            offset += size
    if offset < file_bytes:
        raise BytesLeft(f"{file} has {file_bytes - offset} bytes after the {offset} that its layers read")


def _tag(content: BinaryIO, offset: int) -> Storage | None:
    content.seek(offset)
    tag = content.read(_TAG_BYTES)
    return of_tag(int.from_bytes(tag, "little")) if len(tag) == _TAG_BYTES else None


def _open(path: str, flags: int) -> int:
    """A pipe that nobody writes to would keep a plain `open` waiting."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
