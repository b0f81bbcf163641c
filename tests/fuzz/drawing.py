"""Draws values from bytes, so that a fuzzer that changes bytes changes a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from ncnn_peakmem.graph.shapes import KNOWN
from ncnn_peakmem.network import InputBlob, Shape
from ncnn_peakmem.param_file import Graph, Layer, ParamValue

_T = TypeVar("_T")

TYPES = tuple(sorted({*KNOWN, "Unheard"}))
# What the rules of shape inference tell apart, and what breaks arithmetic.
NUMBERS = (
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    16,
    32,
    64,
    224,
    1000,
    -1,
    -2,
    -3,
    -4,
    -233,
    -234,
    400,
    2**31 - 1,
    -(2**31),
)
_MOST_LAYERS = 40


class Drawing:
    """Takes values off the front of some bytes; behind their end all is zero."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def byte(self) -> int:
        """A number from 0 to 255."""
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def one_of(self, choices: Sequence[_T]) -> _T:
        """One of the choices."""
        return choices[self.byte() % len(choices)]

    def number(self) -> int:
        """Mostly a telling number, else any of 14 bits."""
        place = self.byte()
        return NUMBERS[place % len(NUMBERS)] if place < 192 else (place - 192) << 8 | self.byte()

    def value(self) -> ParamValue:
        """A parameter of any kind."""
        match self.byte() % 12:
            case 0:
                return self.number() / 4
            case 1:
                return tuple(self.number() for _ in range(self.byte() % 5))
            case 2:
                return self.one_of(("", "0w,1h", "word"))
            case 3:
                return tuple(self.number() / 4 for _ in range(self.byte() % 3))
            case _:
                return self.number()

    def shape(self) -> Shape:
        """A blob's shape, possible or not."""
        return tuple(self.number() for _ in range(self.byte() % 5))

    def network(self) -> tuple[Graph, tuple[InputBlob, ...]]:
        """A network whose layers read what others above make, and shapes for its inputs."""
        inputs = tuple(InputBlob(f"in{number}", self.shape()) for number in range(1 + self.byte() % 3))
        layers = [Layer("Input", blob.name, (), (blob.name,), {}) for blob in inputs]
        blobs = [blob.name for blob in inputs]
        while self and len(layers) < _MOST_LAYERS:
            kind, name = self.one_of(TYPES), f"layer{len(layers)}"
            counts = self.byte()
            bottoms = tuple(blobs[-1 - self.byte() % len(blobs)] for _ in range(counts % 4))
            tops = tuple(f"{name}_{number}" for number in range(counts // 4 % 4 or 1))
            params = {self.byte() % 22: self.value() for _ in range(self.byte() % 12)}
            layers.append(Layer(kind, name, bottoms, tops, params))
            blobs.extend(tops)
        return Graph(tuple(layers)), inputs
