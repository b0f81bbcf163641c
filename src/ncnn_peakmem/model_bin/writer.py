"""A `.bin` written array by array."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from ncnn_peakmem.model_bin.slot import Slot
from ncnn_peakmem.model_bin.storage import Storage
from ncnn_peakmem.model_bin.stored import Stored

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_TYPES = {Storage.FP32: "<f4", Storage.FP16: "<f2", Storage.INT8: "<i1", Storage.EXTRA_SCALED: "<f4"}
# Numbers that are converted at a time: the weights of a large layer are held once, where they come from.
_PIECE = 1 << 20


class Writer:
    """Writes arrays into a stream, in the order in which the layers read them."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def put(self, slot: Slot, content: ArrayLike | bytes, storage: Storage = Storage.FP32) -> None:
        """Write an array, with its tag if it has one, and padding.

        `content` are its numbers, or as bytes what comes after the tag, without padding. ValueError where it
        is not of the slot's size, or stored in a way that the slot does not take.
        """
        if not slot.tagged and storage is not Storage.FP32:
            raise ValueError(f"the {slot.role} of layer {slot.layer!r} cannot be {storage}")
        given, pieces = _bytes(content) if isinstance(content, bytes) else _numbers(content, storage)
        wanted = storage.bytes(slot.count)
        if given != wanted:
            raise ValueError(
                f"the {slot.role} of layer {slot.layer!r} is given {given} bytes, "
                f"and {slot.count} numbers as {storage} are {wanted}"
            )
        if slot.tagged:
            self._stream.write(storage.tag.to_bytes(4, "little"))
        for piece in pieces:
            self._stream.write(piece)
        self._stream.write(bytes(storage.size(slot.count) - wanted))

    def copy(self, stored: Stored) -> None:
        """Write an array as it is in another file, to the byte."""
        self._stream.write(stored.raw())


def _bytes(content: bytes) -> tuple[int, Iterable[bytes]]:
    return len(content), (content,)


def _numbers(numbers: ArrayLike, storage: Storage) -> tuple[int, Iterable[bytes]]:
    """How many bytes numbers become, and those bytes."""
    # Those who only read a file's sizes do without it.
    import numpy as np

    if storage not in _TYPES:
        raise ValueError(f"{storage} is written as bytes only")
    flat = np.ravel(np.asarray(numbers))

    def pieces() -> Iterator[bytes]:
        for start in range(0, flat.size, _PIECE):
            # What overflows becomes infinite; whoever stores in fewer bits has looked at that.
            with np.errstate(over="ignore"):
                yield flat[start : start + _PIECE].astype(_TYPES[storage]).tobytes()

    return storage.bytes(flat.size), pieces()
