"""How much memory a network may take, whatever it took before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ncnn_peakmem.measurement import Gauge, Phase


@dataclass(frozen=True, slots=True)
class Budget(Mapping[tuple[Gauge, Phase], int]):
    """The most bytes that a network may take, by gauge and phase, in their order.

    What is held against it is the gauge's headline metric of that phase, gross: as `top` shows it.
    """

    limits: Mapping[tuple[Gauge, Phase], int]

    def __getitem__(self, place: tuple[Gauge, Phase]) -> int:
        return self.limits[place]

    def __iter__(self) -> Iterator[tuple[Gauge, Phase]]:
        return (place for gauge in Gauge for phase in Phase if (place := (gauge, phase)) in self.limits)

    def __len__(self) -> int:
        return len(self.limits)


UNLIMITED = Budget({})
"""The budget of a network that has none."""
