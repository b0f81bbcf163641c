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

    def widened(self, other: Tolerance) -> Tolerance:
        """The narrowest tolerance that allows what either does."""
        return Tolerance(max(self.absolute, other.absolute), max(self.relative, other.relative))


@dataclass(frozen=True, slots=True)
class GaugeTolerance:
    """A gauge's tolerances: wider against another release than against the same one."""

    between_releases: Tolerance
    same_release: Tolerance

    def widened(self, other: GaugeTolerance) -> GaugeTolerance:
        """The narrowest tolerances that allow what either does."""
        return GaugeTolerance(
            between_releases=self.between_releases.widened(other.between_releases),
            same_release=self.same_release.widened(other.same_release),
        )


Tolerances = Mapping[Gauge, GaugeTolerance]
