"""Where a figure left its level, where a probe ended in another way, and where today stands. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from ncnn_peakmem.history.timeline import Figure, Point, Series
from ncnn_peakmem.measurement import Gauge, Outcome
from ncnn_peakmem.tolerance import Tolerance


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """A figure left its level: `before` bytes since release `since`, `after` bytes from `release` on.

    `previous` is the last release before it that has the figure, with `last` bytes; `crept` tells that even
    the step from there stayed in tolerance, and only the sum of several did not. `skipped` are the releases
    in between that do not have the figure: the change came with one of them or with `release`.
    """

    case: str
    figure: Figure
    release: str
    previous: str
    since: str
    before: int
    last: int
    after: int
    crept: bool = False
    skipped: tuple[str, ...] = ()

    @property
    def difference(self) -> int:
        """Bytes more (or, negative, less) than before."""
        return self.after - self.before

    @property
    def percent(self) -> float | None:
        """The difference in percent of what was before, or None where that was zero."""
        return 100 * self.difference / abs(self.before) if self.before else None

    @property
    def size(self) -> tuple[float, int]:
        """How much the figure moved, for ordering: relative first, then absolute."""
        percent = math.inf if self.percent is None else abs(self.percent)
        return percent, abs(self.difference)


@dataclass(frozen=True, slots=True)
class OutcomeChange:
    """From `release` on a case's probe ended in another way than on `previous`."""

    case: str
    gauge: Gauge
    release: str
    previous: str
    before: Outcome
    after: Outcome


@dataclass(frozen=True, slots=True)
class ModelChange:
    """From `release` on a case ran other model files than on `previous`: the two are not compared."""

    case: str
    release: str
    previous: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the newest release that has the figure stands among all that ran the same model.

    Of releases that are equally good, or equally bad, the earliest is named: the one that brought it.
    """

    case: str
    figure: Figure
    first: Point
    best: Point
    worst: Point
    today: Point

    @property
    def difference(self) -> int:
        """Bytes that today takes more than the best release ever."""
        return (self.today.bytes or 0) - (self.best.bytes or 0)

    @property
    def percent(self) -> float | None:
        """That in percent of the best, or None where the best is zero."""
        return 100 * self.difference / abs(self.best.bytes) if self.best.bytes else None


def change_points(series: Series, tolerance: Tolerance) -> tuple[ChangePoint, ...]:
    """Every release on which the figure is further from its level than the tolerance of that level.

    The level is the figure's value at the last change (or at the start), not on the previous release, so
    that growth in steps which each stay in tolerance is told as soon as their sum does not.
    """
    return tuple(_changes(series, tolerance))


def outcome_changes(series: Series) -> tuple[OutcomeChange, ...]:
    """Every release on which the gauge's probe ended in another way, or another phase, than before.

    The figure of the series does not matter: one probe reads all of its gauge's.
    """
    ended = [(point, point.outcome) for point in series.points if point.outcome is not None]
    return tuple(
        OutcomeChange(series.case, series.figure.gauge, point.release, old.release, before, after)
        for (old, before), (point, after) in pairwise(ended)
        if (before.kind, before.phase) != (after.kind, after.phase)
    )


def model_changes(series: Series) -> tuple[ModelChange, ...]:
    """Every release on which the figure was read from other model files than before."""
    read = [point for point in series.points if point.bytes is not None]
    return tuple(
        ModelChange(series.case, point.release, old.release, old.model, point.model)
        for old, point in pairwise(read)
        if old.model != point.model
    )


def standing(series: Series) -> Standing | None:
    """The best, the worst and the newest release, or None where no release has the figure."""
    read = [point for point in series.points if point.bytes is not None]
    if not read:
        return None
    alike = [point for point in read if point.model == read[-1].model]
    best = min(alike, key=_bytes)
    worst = max(alike, key=_bytes)
    return Standing(series.case, series.figure, alike[0], best, worst, read[-1])


def _changes(series: Series, tolerance: Tolerance) -> Iterator[ChangePoint]:
    level: Point | None = None
    previous: Point | None = None
    skipped: list[str] = []
    for point in series.points:
        if point.bytes is None:
            skipped.append(point.release)
            continue
        if level is None or previous is None or point.model != level.model:
            level = point
        elif _left(level, point, tolerance):
            yield ChangePoint(
                case=series.case,
                figure=series.figure,
                release=point.release,
                previous=previous.release,
                since=level.release,
                before=_bytes(level),
                last=_bytes(previous),
                after=point.bytes,
                crept=not _left(previous, point, tolerance),
                skipped=tuple(skipped),
            )
            level = point
        previous = point
        skipped.clear()


def _left(level: Point, point: Point, tolerance: Tolerance) -> bool:
    return abs(_bytes(point) - _bytes(level)) > tolerance.bytes_for(_bytes(level))


def _bytes(point: Point) -> int:
    """The bytes of a point that is known to have some."""
    return point.bytes or 0
