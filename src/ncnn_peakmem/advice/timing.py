"""How long an inference takes beside another one: pairs of times, and the ratio that they support. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import median

from pydantic import TypeAdapter

from ncnn_peakmem.measurement import Outcome

_DOUBT = 0.05


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as long as the reference: the median over pairs, and where it lies at 95 %."""

    median: float
    low: float
    high: float

    @property
    def growth(self) -> float:
        """The share of time that is added: 0.03 is 3 % more."""
        return self.median - 1

    def slower_than(self, other: Ratio) -> bool:
        """Whether it is slower beyond what noise explains."""
        return self.low > other.high


SAME = Ratio(1.0, 1.0, 1.0)
"""The reference beside itself."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Inferences of a case and of a reference in turn: pairs of nanoseconds, the reference's first.

    `reference_model` is the digest of the files that the reference ran. Without a pair `outcome` says why.
    """

    case: str
    reference: str
    reference_model: str
    outcome: Outcome
    pairs: tuple[tuple[int, int], ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there is a ratio."""
        return self.outcome.ok and bool(self.pairs)

    @property
    def ratio(self) -> Ratio:
        """The case's time over the reference's; `ValueError` where nothing was timed."""
        return ratio([mine / reference for reference, mine in self.pairs])

    @property
    def reference_ns(self) -> float:
        """The reference's median time."""
        return median(reference for reference, _ in self.pairs)

    def to_json(self) -> bytes:
        """The timing as JSON; `from_json` gives it back without loss."""
        return _TIMING.dump_json(self)

    @staticmethod
    def from_json(text: bytes | str) -> Timing:
        """Read what `to_json` wrote; `pydantic.ValidationError` where the text is something else."""
        return _TIMING.validate_json(text)


def ratio(ratios: Sequence[float]) -> Ratio:
    """The median of ratios with its interval by order statistics, which asks nothing of their distribution.

    It is at 95 % from six ratios on; with fewer it is all that they span. `ValueError` where there is none.
    """
    if not ratios:
        raise ValueError("nothing was timed")
    ranked = sorted(ratios)
    cut = _cut(len(ranked))
    return Ratio(median(ranked), ranked[cut], ranked[-1 - cut])


def _cut(count: int) -> int:
    """How many of the smallest, and of the largest, can be left out of the interval."""
    below, cut = 0.0, 0
    while cut < count // 2:
        below += comb(count, cut) / 2**count
        if 2 * below > _DOUBT:
            break
        cut += 1
    return max(0, cut - 1)


_TIMING: TypeAdapter[Timing] = TypeAdapter(Timing)
