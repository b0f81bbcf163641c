"""How much a figure may move before it counts as a change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ncnn_peakmem.measurement import Gauge


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Bytes and a fraction (0.001 is 0.1 %) of the baseline; the larger counts."""

    absolute: int = 0
    relative: float = 0.0

    def bytes_for(self, baseline: int) -> int:
        """The movement in bytes that still counts as the same as `baseline`."""
        return max(self.absolute, int(self.relative * abs(baseline)))


@dataclass(frozen=True, slots=True)
class GaugeTolerance:
    """A gauge's tolerances: wider against another release than against the same one."""

    between_releases: Tolerance
    same_release: Tolerance


Tolerances = Mapping[Gauge, GaugeTolerance]
