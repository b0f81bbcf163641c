"""Movements: what the figures of several cases did alike on one release. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ncnn_peakmem.history.change_point import ChangePoint
from ncnn_peakmem.history.fold import Fold, fold_alike
from ncnn_peakmem.history.timeline import Figure
from ncnn_peakmem.measurement import Gauge


@dataclass(frozen=True, slots=True)
class Movement:
    """The changes of one gauge's figures on `release`, by the same bytes in every case of `fold`.

    `changes` has them for each figure in turn, and for each figure by case.
    """

    release: str
    previous: str
    gauge: Gauge
    fold: Fold
    changes: tuple[ChangePoint, ...]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The figures that changed, in their own order."""
        return tuple(dict.fromkeys(change.figure for change in self.changes))

    @property
    def strands(self) -> tuple[tuple[ChangePoint, ...], ...]:
        """The changes with those figures together that moved by the same bytes."""
        alike: defaultdict[int, list[ChangePoint]] = defaultdict(list)
        for change in self.changes:
            alike[change.difference].append(change)
        return tuple(map(tuple, alike.values()))

    def at(self, figure: Figure) -> tuple[ChangePoint, ...]:
        """The change of one figure in each case, or nothing where it did not change."""
        return tuple(change for change in self.changes if change.figure == figure)

    @property
    def size(self) -> tuple[float, int]:
        """How much the figure that moved most did, for ordering: relative first, then absolute."""
        return max(change.size for change in self.changes)


def movements(changes: Iterable[ChangePoint], among: Collection[str]) -> tuple[Movement, ...]:
    """The changes of one release and gauge folded, those of the other releases and gauges after them.

    No pattern means a case of `among` that did not change like the others.
    """
    grouped: defaultdict[tuple[str, Gauge], dict[str, list[ChangePoint]]] = defaultdict(dict)
    for change in changes:
        grouped[change.release, change.figure.gauge].setdefault(change.case, []).append(change)
    return tuple(
        _movement(folded, by_case)
        for by_case in grouped.values()
        for folded in fold_alike({case: _signature(found) for case, found in by_case.items()}, among)
    )


def _signature(changes: Iterable[ChangePoint]) -> Hashable:
    return tuple((change.figure, change.previous, change.difference) for change in changes)


def _movement(folded: Fold, by_case: Mapping[str, Sequence[ChangePoint]]) -> Movement:
    first = by_case[folded.cases[0]][0]
    by_figure = zip(*(by_case[case] for case in folded.cases), strict=True)
    changes = tuple(change for alike in by_figure for change in alike)
    return Movement(first.release, first.previous, first.figure.gauge, folded, changes)
