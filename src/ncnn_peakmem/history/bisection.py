"""The first release over a limit, found with few probes. Pure but for the measuring handed in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ncnn_peakmem.tolerance import Tolerance

# After the search, so many looks at what it passed over: enough to catch a long earlier rise, and no more.
_EXTRA_LOOKS = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """What one release takes. `bytes` is None where nobody can tell, and `cause` says why."""

    release: str
    bytes: int | None
    cause: str = ""

    def within(self, limit_bytes: int) -> bool | None:
        """Whether the release is good, or None where nobody can tell."""
        return None if self.bytes is None else self.bytes <= limit_bytes


@dataclass(frozen=True, slots=True)
class Crossing:
    """Two neighbours among the measured releases, one good and the other bad."""

    before: Sample
    after: Sample


@dataclass(frozen=True, slots=True)
class Bisection:
    """Where a figure first went over `limit_bytes`, as far as it was looked at.

    `samples` has every release looked at, oldest first. `last_good` and `first_bad` have no measured release
    between them; `candidates` are the releases any of which may have brought the change: `first_bad`, and
    before it those in between that could not be measured. `crossings` is every turn from good to bad or back.
    `monotone` is whether the figures seen only grow, small falls apart. `unprobed` are the releases older
    than `first_bad` that nobody looked at: the change came first only among the others.
    """

    limit_bytes: int
    samples: tuple[Sample, ...]
    last_good: Sample
    first_bad: Sample
    candidates: tuple[str, ...]
    crossings: tuple[Crossing, ...]
    monotone: bool
    unprobed: tuple[str, ...]

    @property
    def difference(self) -> int:
        """Bytes that `first_bad` takes more than `last_good`."""
        return (self.first_bad.bytes or 0) - (self.last_good.bytes or 0)

    @property
    def percent(self) -> float | None:
        """The difference in percent of `last_good`, or None where that is zero."""
        return 100 * self.difference / self.last_good.bytes if self.last_good.bytes else None


class NoChangeBetween(ValueError):
    """The oldest release is not good or the newest not bad, so that there is nothing to look for."""

    def __init__(self, oldest: Sample, newest: Sample, limit_bytes: int):
        super().__init__(
            f"by the limit of {limit_bytes} bytes, {_judged(oldest, limit_bytes)} and has to be good, "
            f"{_judged(newest, limit_bytes)} and has to be bad"
        )
        self.oldest = oldest
        self.newest = newest
        self.limit_bytes = limit_bytes


def bisect(
    releases: Sequence[str],
    measure: Callable[[str], Sample],
    limit_bytes: int,
    *,
    known: Iterable[Sample] = (),
    tolerance: Tolerance | None = None,
    thorough: bool = False,
) -> Bisection:
    """Find the first of `releases` (oldest first) that takes more than `limit_bytes`.

    The search always halves what lies before the oldest bad release seen, so that figures already `known`
    narrow it for nothing, and a release that cannot be measured costs one more look beside it. Because a
    figure may rise, fall and rise again, the middle of the longest stretch passed over is then looked at, a
    few times or (`thorough`) until nothing older is left; where that is bad, the search goes on before it.

    `tolerance` is how far a figure may fall and still count as growing. Raises `NoChangeBetween` unless the
    first release is good and the last one bad, `ValueError` where there are fewer than two.
    """
    order = tuple(dict.fromkeys(releases))
    if len(order) < 2 or len(order) != len(releases):
        raise ValueError(f"at least two different releases are needed, oldest first: {', '.join(releases)}")
    samples = {sample.release: sample for sample in known}
    for end in (order[0], order[-1]):
        if end not in samples:
            samples[end] = measure(end)
    oldest, newest = samples[order[0]], samples[order[-1]]
    if oldest.within(limit_bytes) is not True or newest.within(limit_bytes) is not False:
        raise NoChangeBetween(oldest, newest, limit_bytes)
    looks_left = len(order) if thorough else _EXTRA_LOOKS
    while True:
        last_good, first_bad = _bracket(order, samples, limit_bytes)
        between = _unprobed(order[last_good:first_bad], samples)
        older = _unprobed(order[:last_good], samples)
        if between:
            release = between[len(between) // 2]
        elif older and looks_left:
            looks_left -= 1
            release = _middle_of_longest_stretch(order, older)
        else:
            return _result(order, samples, limit_bytes, tolerance or Tolerance())
        samples[release] = measure(release)


def _bracket(order: Sequence[str], samples: Mapping[str, Sample], limit_bytes: int) -> tuple[int, int]:
    """The places of the oldest bad release seen and of the last measured one before it, which is good."""
    judged = [
        (place, samples[release].within(limit_bytes))
        for place, release in enumerate(order)
        if release in samples
    ]
    first_bad = next(place for place, good in judged if good is False)
    return max(place for place, good in judged if good and place < first_bad), first_bad


def _unprobed(releases: Iterable[str], samples: Mapping[str, Sample]) -> tuple[str, ...]:
    return tuple(release for release in releases if release not in samples)


def _middle_of_longest_stretch(order: Sequence[str], unprobed: Sequence[str]) -> str:
    """The middle of the longest run of neighbours among `unprobed`; of equal runs the newest."""
    longest: list[str] = []
    stretch: list[str] = []
    for release in order:
        stretch = [*stretch, release] if release in unprobed else []
        if len(stretch) >= len(longest):
            longest = stretch
    return longest[len(longest) // 2]


def _result(
    order: Sequence[str], samples: Mapping[str, Sample], limit_bytes: int, tolerance: Tolerance
) -> Bisection:
    last_good, first_bad = _bracket(order, samples, limit_bytes)
    seen = tuple(samples[release] for release in order if release in samples)
    measured = [sample for sample in seen if sample.bytes is not None]
    return Bisection(
        limit_bytes=limit_bytes,
        samples=seen,
        last_good=samples[order[last_good]],
        first_bad=samples[order[first_bad]],
        candidates=tuple(order[last_good + 1 : first_bad + 1]),
        crossings=tuple(
            Crossing(before, after)
            for before, after in pairwise(measured)
            if before.within(limit_bytes) is not after.within(limit_bytes)
        ),
        monotone=_only_grows([sample.bytes for sample in seen if sample.bytes is not None], tolerance),
        unprobed=_unprobed(order[:first_bad], samples),
    )


def _only_grows(figures: Sequence[int], tolerance: Tolerance) -> bool:
    """Whether none lies below an earlier one by more than the tolerance."""
    highest = figures[0]
    for figure in figures:
        if figure < highest - tolerance.bytes_for(highest):
            return False
        highest = max(highest, figure)
    return True


def _judged(sample: Sample, limit_bytes: int) -> str:
    """Such as `1.0.20221128 is good (21082308 bytes)`."""
    good = sample.within(limit_bytes)
    if good is None:
        return f"{sample.release} cannot be judged ({sample.cause})"
    return f"{sample.release} is {'good' if good else 'bad'} ({sample.bytes} bytes)"
