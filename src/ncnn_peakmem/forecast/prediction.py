"""What a forecast says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter

from ncnn_peakmem.anatomy.part import Split
from ncnn_peakmem.measurement import Metric, Phase

_SURE, _DOUBTED = 0.8, 0.4


class NotForecast(ValueError):
    """A network that no forecast can be made of, though its shapes are known; the text says why."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What a forecast rests on.

    `layers` counts those that take memory. `computed` names those of them that were computed, wholly or in
    part, since the same layer was never traced; `computed_bytes` of the peak are theirs. `notes` tell what is
    not as it was learned, `doubts` where not even a rule was ever checked against ncnn.
    """

    layers: int
    computed: tuple[str, ...] = ()
    computed_bytes: int = 0
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Forecast:
    """The heap of a network as gauge `heap` would read it, in bytes by phase and metric.

    `loops` and `settled_at` as in a reading; `growing` tells that the peak still grows when the loops end.
    """

    phases: Mapping[Phase, Mapping[Metric, int]]
    loops: int
    settled_at: int
    growing: bool
    peak: Split
    load: Split
    basis: Basis

    @property
    def lower_bound(self) -> int:
        """What the peak will hardly be below: a margin of error, which is wider where there are doubts."""
        return int(self.peak.bytes * (_DOUBTED if self.basis.doubts else _SURE))

    def to_json(self) -> bytes:
        """The forecast as JSON; `from_json` gives it back without loss."""
        return _FORECAST.dump_json(self)

    @staticmethod
    def from_json(text: bytes | str) -> Forecast:
        """Read what `to_json` wrote; `pydantic.ValidationError` where the text is something else."""
        return _FORECAST.validate_json(text)


_FORECAST: TypeAdapter[Forecast] = TypeAdapter(Forecast)
