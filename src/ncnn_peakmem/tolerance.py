"""How much a figure may move before it counts as a change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ncnn_peakmem.measurement import Gauge

LEAST_SEEN = 512
"""The smallest growth in bytes that is ever promised to be seen."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Bytes and a fraction (0.001 is 0.1 %) of the baseline; the larger counts."""

    absolute: int = 0
    relative: float = 0.0

    def bytes_for(self, baseline: int) -> int:
        """The movement in bytes that still counts as the same as `baseline`."""
        return max(self.absolute, int(self.relative * abs(baseline)))

    def certainly_seen(self, baselines: Iterable[int]) -> int:
        """The growth in bytes that is seen for certain, whichever of the baselines' figures it shows in.

        Twice what the least exact of them may move by, for malloc may have a part of a growth at hand.
        """
        return max(LEAST_SEEN, 2 * self.widest_for(baselines))

    def widest_for(self, baselines: Iterable[int]) -> int:
        """The movement in bytes that still counts as the same for at least one of the baselines."""
        return max(map(self.bytes_for, baselines), default=self.absolute)

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
