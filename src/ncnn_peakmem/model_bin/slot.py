"""A place for an array in a `.bin`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Kind(Enum):
    """What a layer does with an array: multiply with it or keep it, add it, or scale int8 by it."""

    WEIGHT = auto()
    BIAS = auto()
    SCALE = auto()


@dataclass(frozen=True, slots=True)
class Slot:
    """One array that a layer reads, in order: `count` numbers, not bytes.

    A tagged one may be stored in several ways and has a tag before it that tells which; others are fp32.
    """

    layer: str
    role: str
    count: int
    tagged: bool
    kind: Kind = Kind.WEIGHT
