"""Axis effects: what one label of a case's id changes when all others stay. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations

from ncnn_peakmem.case import network_of
from ncnn_peakmem.history.timeline import Figure, History
from ncnn_peakmem.measurement import Gauge

NO_LABEL = ""
"""Stands for the label of a case whose id leaves an axis out."""

_Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class Axis:
    """Two labels that take each other's place in ids, in alphabetical order."""

    one: str
    other: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure on one release in two cases of one model that differ in one label, net of the floor."""

    axis: Axis
    release: str
    figure: Figure
    one: str
    other: str
    bytes_one: int
    bytes_other: int

    @property
    def bytes(self) -> int:
        """Bytes that the case with the axis's other label takes more (or, negative, less)."""
        return self.bytes_other - self.bytes_one

    @property
    def percent(self) -> float | None:
        """That in percent of the one, or None where the one is zero and the other is not."""
        if self.bytes == 0:
            return 0.0
        return 100 * self.bytes / abs(self.bytes_one) if self.bytes_one else None


@dataclass(frozen=True, slots=True)
class AxisEffect:
    """What an axis changes in the figures of one gauge of one network.

    Of `pairs` figures read in two cases, `differing` differ by more than may be noise; `least` and `most`
    are the extremes of those with their signs, and None where there are none.
    """

    axis: Axis
    network: str
    gauge: Gauge
    pairs: int
    differing: int
    least: Difference | None = None
    most: Difference | None = None


def differences(history: History, figures: Collection[Figure]) -> tuple[Difference, ...]:
    """Every figure that both cases of a pair have on a release, by axis, pair, figure and release."""
    # Each case is in several pairs, and reading a series costs more than comparing it.
    read = {
        (case, figure): history.series(case, figure).points for case in history.cases for figure in figures
    }
    return tuple(
        Difference(axis, left.release, figure, one, other, left.bytes, right.bytes)
        for axis, one, other in sorted(_pairs(history.cases))
        for figure in figures
        for left, right in zip(read[one, figure], read[other, figure], strict=True)
        if left.bytes is not None and right.bytes is not None and left.model == right.model
    )


def axis_effects(found: Iterable[Difference], noise: Callable[[Difference], int]) -> tuple[AxisEffect, ...]:
    """The differences summed up by axis, gauge and network; `noise` gives the bytes that count as none."""
    grouped: defaultdict[tuple[Axis, Gauge, str], list[Difference]] = defaultdict(list)
    for difference in found:
        grouped[difference.axis, difference.figure.gauge, network_of(difference.one)].append(difference)
    effects = []
    for (axis, gauge, network), compared in sorted(grouped.items(), key=lambda group: group[0]):
        differing = [difference for difference in compared if abs(difference.bytes) > noise(difference)]
        least = min(differing, key=lambda difference: difference.bytes, default=None)
        most = max(differing, key=lambda difference: difference.bytes, default=None)
        effects.append(AxisEffect(axis, network, gauge, len(compared), len(differing), least, most))
    return tuple(effects)


def _pairs(cases: Iterable[str]) -> Iterator[tuple[Axis, str, str]]:
    """Any two ids that differ in one label, or of which one has a label more."""
    known = {tuple(case.split("-")) for case in cases}
    for (head, tail), labels in _siblings(known).items():
        if head + tail in known:
            # Labels that may be left out can be of several axes: each is compared with its absence.
            found = [(NO_LABEL, label) for label in labels]
        else:
            found = list(combinations(labels, 2))
        for one, other in found:
            yield Axis(one, other), _id(head, one, tail), _id(head, other, tail)


def _siblings(known: Collection[_Parts]) -> dict[tuple[_Parts, _Parts], list[str]]:
    """What stands before and after a label, and all labels that are found in between."""
    found: defaultdict[tuple[_Parts, _Parts], list[str]] = defaultdict(list)
    for parts in sorted(known):
        for place in range(1, len(parts)):
            found[parts[:place], parts[place + 1 :]].append(parts[place])
    return found


def _id(head: _Parts, label: str, tail: _Parts) -> str:
    return "-".join([*head, *filter(None, [label]), *tail])
