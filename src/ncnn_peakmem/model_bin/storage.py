"""How an array's numbers are stored, which the four bytes before it tell."""

from __future__ import annotations

from enum import StrEnum

CODEBOOK_BYTES = 4 * 256

_ALIGNMENT = 4
_FP16 = 0x01306B47
_INT8 = 0x000D4B38
_EXTRA_SCALED = 0x0002C056


class Storage(StrEnum):
    """A format of numbers: `extra_scaled` is fp32 with a tag of its own, `codebook` indices into 256."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"
    EXTRA_SCALED = "extra_scaled"
    CODEBOOK = "codebook"

    @property
    def tag(self) -> int:
        """What the tag of such an array is written as."""
        return _TAGS[self]

    def bytes(self, count: int) -> int:
        """The bytes of so many numbers, without tag and padding."""
        return _WIDTHS[self] * count + (CODEBOOK_BYTES if self is Storage.CODEBOOK else 0)

    def size(self, count: int) -> int:
        """The same with padding."""
        return -(-self.bytes(count) // _ALIGNMENT) * _ALIGNMENT


def of_tag(tag: int) -> Storage:
    """What ncnn takes an array of that tag for."""
    return _OF_TAGS.get(tag, Storage.CODEBOOK)


# Any other tag than these means a codebook.
_TAGS = {
    Storage.FP32: 0,
    Storage.FP16: _FP16,
    Storage.INT8: _INT8,
    Storage.EXTRA_SCALED: _EXTRA_SCALED,
    Storage.CODEBOOK: 1,
}
_OF_TAGS = {tag: storage for storage, tag in _TAGS.items()}
_WIDTHS = {
    Storage.FP32: 4,
    Storage.FP16: 2,
    Storage.INT8: 1,
    Storage.EXTRA_SCALED: 4,
    Storage.CODEBOOK: 1,
}
