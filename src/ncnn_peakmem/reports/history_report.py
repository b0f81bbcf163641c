"""What every report of a history is made from."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ncnn_peakmem.case import network_of
from ncnn_peakmem.history import (
    FIGURES,
    PEAKS,
    AxisEffect,
    ChangePoint,
    Difference,
    Figure,
    Fold,
    History,
    Movement,
    OutcomeChange,
    Series,
    Standing,
    axis_effects,
    change_points,
    differences,
    fold_alike,
    is_echo,
    model_changes,
    movements,
    outcome_changes,
    standing,
)
from ncnn_peakmem.measurement import Gauge, Outcome
from ncnn_peakmem.tolerance import Tolerance, Tolerances


@dataclass(frozen=True, slots=True)
class Gap:
    """Cases that were not measured on some releases with some gauges, though they were on other releases."""

    releases: tuple[str, ...]
    gauges: tuple[Gauge, ...]
    folds: tuple[Fold, ...]


@dataclass(frozen=True, slots=True)
class OutcomeMovement:
    """Probes of several cases that from `release` on ended in another way, alike; told for the first case."""

    release: str
    previous: str
    gauges: tuple[Gauge, ...]
    fold: Fold
    before: Outcome
    after: Outcome


@dataclass(frozen=True)
class HistoryReport:
    """A history and what it tells; `tolerances` gives those of a case by its id.

    `gauges` are what is told of. `deployed`, noisy and not read on every release, has to be asked for.
    """

    history: History
    tolerances: Callable[[str], Tolerances]
    gauges: tuple[Gauge, ...] = (Gauge.HEAP, Gauge.PAGES)

    @cached_property
    def figures(self) -> tuple[Figure, ...]:
        """The figures that are told of."""
        return tuple(figure for figure in FIGURES if figure.gauge in self.gauges)

    @cached_property
    def networks(self) -> tuple[str, ...]:
        """The networks, in alphabetical order."""
        return tuple(dict.fromkeys(map(network_of, self.history.cases)))

    @cached_property
    def series(self) -> Mapping[str, tuple[Series, ...]]:
        """Every figure that was read of each case."""
        return {
            case: tuple(found for found in self.history.all_series(case) if found.figure in self.figures)
            for case in self.history.cases
        }

    @cached_property
    def folds(self) -> tuple[Fold, ...]:
        """The cases, folded where every figure and outcome on every release is the same, to the byte."""
        signatures = {case: self._signature(case) for case in self.history.cases}
        return fold_alike(signatures, self.history.cases)

    @cached_property
    def changes(self) -> tuple[ChangePoint, ...]:
        """All change points, by release, case and figure."""
        found = [
            change
            for case, read in self.series.items()
            for series in read
            for change in change_points(series, self._tolerance(case, series.figure.gauge))
        ]
        return tuple(sorted(found, key=lambda change: self.history.versions.index(change.release)))

    @cached_property
    def echoes(self) -> frozenset[ChangePoint]:
        """The changes of the process's gauges that the heap tells already."""
        return frozenset(
            change
            for change in self.changes
            if is_echo(change, self.history, self._tolerance(change.case, change.figure.gauge))
        )

    @cached_property
    def echoes_by_release(self) -> Mapping[str, int]:
        """How many echoes each release has, without those that have none."""
        return Counter(change.release for change in self.echoes)

    @cached_property
    def movements(self) -> tuple[Movement, ...]:
        """The changes that are no echoes, folded: by release, the first gauges and the largest first."""
        told = (change for change in self.changes if change not in self.echoes)
        order = {release: place for place, release in enumerate(self.history.versions)}

        def place(movement: Movement) -> tuple[int, int, float, int]:
            percent, count = movement.size
            return order[movement.release], self.gauges.index(movement.gauge), -percent, -count

        return tuple(sorted(movements(told, self.history.cases), key=place))

    @cached_property
    def peak_standings(self) -> Mapping[str, Mapping[Gauge, Standing]]:
        """For each case where its overall peaks stand, by gauge, without those that were never read."""
        return {case: found for case in self.history.cases if (found := dict(self._peak_standings(case)))}

    @cached_property
    def standings(self) -> tuple[Standing, ...]:
        """Where every figure of every case stands, by case."""
        found = (standing(series) for read in self.series.values() for series in read)
        return tuple(place for place in found if place is not None)

    @cached_property
    def outcome_changes(self) -> tuple[OutcomeChange, ...]:
        """All changes of an outcome, by case and gauge."""
        return tuple(
            change
            for case in self.history.cases
            for gauge in self.gauges
            for change in outcome_changes(self.history.series(case, PEAKS[gauge]))
        )

    @cached_property
    def outcome_movements(self) -> tuple[OutcomeMovement, ...]:
        """The changes of outcomes, folded, by release."""
        grouped: defaultdict[Hashable, dict[str, list[OutcomeChange]]] = defaultdict(dict)
        for change in self.outcome_changes:
            ends = (change.before.kind, change.before.phase, change.after.kind, change.after.phase)
            key = (change.release, change.previous, ends)
            grouped[key].setdefault(change.case, []).append(change)
        found = [movement for by_case in grouped.values() for movement in self._outcomes(by_case)]
        return tuple(sorted(found, key=lambda told: self.history.versions.index(told.release)))

    @cached_property
    def failing(self) -> tuple[tuple[Fold, Outcome], ...]:
        """The cases that did not run to their end when they were last measured, and how they ended."""
        ends = {case: end for case in self.history.cases if (end := self._last_end(case)) and not end.ok}
        alike = {case: (end.kind, end.phase) for case, end in ends.items()}
        return tuple((fold, ends[fold.cases[0]]) for fold in fold_alike(alike, self.history.cases))

    @cached_property
    def other_models(self) -> Mapping[str, tuple[Fold, ...]]:
        """The cases that ran other model files than before, by release: their figures start anew there."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for read in self.series.values():
            for series in read:
                for change in model_changes(series):
                    found[change.release].add(change.case)
        known = (release for release in self.history.versions if release in found)
        return {release: fold_alike(dict.fromkeys(found[release]), self.history.cases) for release in known}

    @cached_property
    def gaps(self) -> tuple[Gap, ...]:
        """What releases lack, with those together that lack the same."""
        releases: defaultdict[tuple[Gauge, tuple[Fold, ...]], list[str]] = defaultdict(list)
        for release, gauge, folds in self._lacks():
            releases[gauge, folds].append(release)
        gauges: defaultdict[tuple[tuple[str, ...], tuple[Fold, ...]], list[Gauge]] = defaultdict(list)
        for (gauge, folds), lacking in releases.items():
            gauges[tuple(lacking), folds].append(gauge)
        return tuple(Gap(lacking, tuple(found), folds) for (lacking, folds), found in gauges.items())

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        """Every figure compared between cases that differ in one label."""
        return differences(self.history, self.figures)

    @cached_property
    def axis_effects(self) -> tuple[AxisEffect, ...]:
        """What each axis changes, by axis, gauge and network."""
        return axis_effects(self.differences, self._noise)

    @cached_property
    def peak_differences(self) -> tuple[Difference, ...]:
        """The overall peaks compared between cases that differ in one label, on the newest release."""
        figures = [PEAKS[gauge] for gauge in self.gauges]
        newest = History(self.history.machine, self.history.releases[-1:])
        return differences(newest, figures)

    def peak_series(self, case: str, gauge: Gauge) -> Series:
        """The overall peak of a case through all releases."""
        return self.history.series(case, PEAKS[gauge])

    def exceeds(self, place: Standing) -> bool:
        """Whether today takes more than the best release, by more than may change between releases."""
        tolerance = self._tolerance(place.case, place.figure.gauge)
        return place.difference > tolerance.bytes_for(place.best.bytes or 0)

    def release_name(self, release: str) -> str:
        """A release as it is called where there is little room: `20230223` for 1.0.20230223."""
        return release.removeprefix("1.0.")

    def _tolerance(self, case: str, gauge: Gauge) -> Tolerance:
        return self.tolerances(case)[gauge].between_releases

    def _noise(self, difference: Difference) -> int:
        # The two may differ in their threads, and so in what they are allowed.
        limits = (
            self.tolerances(case)[difference.figure.gauge] for case in (difference.one, difference.other)
        )
        return max(limit.same_release.bytes_for(difference.bytes_one) for limit in limits)

    def _signature(self, case: str) -> Hashable:
        ends = (point for gauge in self.gauges for point in self.history.series(case, PEAKS[gauge]).points)
        outcomes = tuple((end.model, end.outcome and (end.outcome.kind, end.outcome.phase)) for end in ends)
        figures = tuple((read.figure, *(point.bytes for point in read.points)) for read in self.series[case])
        return outcomes, figures

    def _peak_standings(self, case: str) -> Iterator[tuple[Gauge, Standing]]:
        for gauge in self.gauges:
            found = standing(self.history.series(case, PEAKS[gauge]))
            if found is not None:
                yield gauge, found

    def _outcomes(self, by_case: Mapping[str, Sequence[OutcomeChange]]) -> Iterator[OutcomeMovement]:
        gauges = {case: tuple(change.gauge for change in found) for case, found in by_case.items()}
        for fold in fold_alike(gauges, self.history.cases):
            first = by_case[fold.cases[0]][0]
            yield OutcomeMovement(
                first.release, first.previous, gauges[fold.cases[0]], fold, first.before, first.after
            )

    def _last_end(self, case: str) -> Outcome | None:
        """How the case's probes ended on the newest release that has them: the first end that is not well."""
        for release in reversed(self.history.releases):
            if case in release.cases:
                readings = release.cases[case].readings
                ends = [readings[gauge].outcome for gauge in self.gauges if gauge in readings]
                return next((end for end in ends if not end.ok), ends[0] if ends else None)
        return None

    def _lacks(self) -> Iterator[tuple[str, Gauge, tuple[Fold, ...]]]:
        for gauge in self.gauges:
            read = {case: self.peak_series(case, gauge).points for case in self.history.cases}
            known = {case: points for case, points in read.items() if any(point.outcome for point in points)}
            for place, release in enumerate(self.history.versions):
                lacking = dict.fromkeys(case for case, points in known.items() if not points[place].outcome)
                if lacking:
                    yield release, gauge, fold_alike(lacking, self.history.cases)
