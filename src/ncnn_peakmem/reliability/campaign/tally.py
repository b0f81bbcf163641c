"""A campaign's answers, counted. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median

from ncnn_peakmem.baselines import VerdictKind
from ncnn_peakmem.measurement import Gauge, Metric, Phase
from ncnn_peakmem.reliability.campaign.data_file import Record
from ncnn_peakmem.reliability.campaign.trial import Anchor, Part, Trial
from ncnn_peakmem.reliability.resolution import is_seen


@dataclass(frozen=True, slots=True)
class IdenticalCount:
    """What identical probes came to: those of one gauge and number of threads, under one load.

    `figures` were compared, of which `moved` were not as at first, by `largest` bytes at most either way, and
    by `share` of their tolerance at most (None where nothing may move, and something did).
    """

    gauge: Gauge
    threads: int
    loaded: bool
    probes: int
    figures: int
    moved: int
    largest: int
    share: float | None
    improved: int
    alarms: int


@dataclass(frozen=True, slots=True)
class InjectedCount:
    """What so many bytes held from a phase on came to, over cases: `seen` of `probes` went red there.

    `due` of them are at or above the stated resolution of their case, and `missed` of these did not.
    """

    gauge: Gauge
    threads: int
    phase: Phase
    held_bytes: int
    probes: int
    seen: int
    due: int
    missed: int


@dataclass(frozen=True, slots=True)
class GaugeCount:
    """Both answers of one gauge: alarms of so many identical probes, misses of so much growth to be seen."""

    gauge: Gauge
    identical: int
    alarms: int
    due: int
    missed: int


@dataclass(frozen=True, slots=True)
class Movement:
    """One figure of identical probes that was not always as at first: how often, and how far it went."""

    gauge: Gauge
    phase: Phase
    metric: Metric
    times: int
    cases: int
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Conditions:
    """How busy the machine was in one half: probes, load averages (of a minute), seconds a probe."""

    probes: int
    typical_load: float
    largest_load: float
    typical_seconds: float


class Tally:
    """Counts what a record holds."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self._identical = [trial for trial in record.trials if trial.part is Part.IDENTICAL]
        self._injected = [trial for trial in record.trials if trial.part is Part.INJECTED]

    @property
    def probes(self) -> int:
        """How many identical probes were judged."""
        return len(self._identical)

    def gauge_counts(self) -> Iterator[GaugeCount]:
        """By gauge alone."""
        alarms, misses = self.false_alarms, self.misses
        for gauge in Gauge:
            identical = [trial for trial in self._identical if trial.gauge is gauge]
            due = [trial for trial in self._injected if trial.gauge is gauge and self._due(trial)]
            if identical or due:
                yield GaugeCount(
                    gauge,
                    identical=len(identical),
                    alarms=sum(alarm.gauge is gauge for alarm in alarms),
                    due=len(due),
                    missed=sum(missed.gauge is gauge for missed in misses),
                )

    @property
    def false_alarms(self) -> tuple[Trial, ...]:
        """Identical probes that a gate would have told as worse, or could not judge."""
        return tuple(trial for trial in self._identical if _is_alarm(trial))

    @property
    def false_gains(self) -> tuple[Trial, ...]:
        """Identical probes that would have been told as better."""
        return tuple(trial for trial in self._identical if trial.verdict is VerdictKind.IMPROVED)

    @property
    def misses(self) -> tuple[Trial, ...]:
        """Injected growth at or above the stated resolution that did not turn its case red in its phase."""
        return tuple(trial for trial in self._injected if self._due(trial) and not self._is_seen(trial))

    @property
    def due(self) -> int:
        """How many injected probes are at or above the stated resolution."""
        return sum(self._due(trial) for trial in self._injected)

    @property
    def injected(self) -> int:
        """How many injected probes were judged."""
        return len(self._injected)

    def identical_counts(self) -> Iterator[IdenticalCount]:
        """By gauge, threads and load."""
        for gauge in Gauge:
            for threads in self.threads(Part.IDENTICAL):
                for loaded in (False, True):
                    trials = [
                        trial
                        for trial in self._identical
                        if trial.gauge is gauge
                        and trial.loaded is loaded
                        and self._anchor(trial).threads == threads
                    ]
                    if trials:
                        yield self._identical_count(gauge, threads, loaded, trials)

    def injected_counts(self) -> Iterator[InjectedCount]:
        """By gauge, threads, phase and size."""
        found: dict[tuple[Gauge, int, Phase, int], list[Trial]] = {}
        for trial in self._injected:
            if trial.phase is not None:
                threads = self._anchor(trial).threads
                found.setdefault((trial.gauge, threads, trial.phase, trial.held_bytes), []).append(trial)
        gauges, phases = list(Gauge), list(Phase)
        for gauge, threads, phase, held in sorted(
            found, key=lambda key: (gauges.index(key[0]), key[1], phases.index(key[2]), key[3])
        ):
            trials = found[gauge, threads, phase, held]
            due = [trial for trial in trials if self._due(trial)]
            yield InjectedCount(
                gauge,
                threads,
                phase,
                held,
                probes=len(trials),
                seen=sum(map(self._is_seen, trials)),
                due=len(due),
                missed=sum(not self._is_seen(trial) for trial in due),
            )

    def movements(self) -> Iterator[Movement]:
        """Every figure of identical probes that moved in any of them."""
        for gauge in Gauge:
            moved: dict[tuple[Phase, Metric], list[tuple[str, int]]] = {}
            for trial in self._identical:
                if trial.gauge is gauge:
                    for phase, metric, difference in trial.differences:
                        moved.setdefault((phase, metric), []).append((trial.case, difference))
            for phase in Phase:
                for metric in Metric:
                    if found := moved.get((phase, metric)):
                        sizes = [difference for _, difference in found]
                        cases = len({case for case, _ in found})
                        yield Movement(gauge, phase, metric, len(found), cases, min(sizes), max(sizes))

    def resolutions(self, gauge: Gauge) -> tuple[int, int]:
        """The smallest and the largest stated resolution of the cases that growth was injected into."""
        stated = [anchor.resolution for anchor in self.anchors(Part.INJECTED) if anchor.gauge is gauge]
        return min(stated), max(stated)

    def seen_from(self, gauge: Gauge) -> int | None:
        """The size from which on all growth was seen, in every phase and case; None where none was."""
        trials = [trial for trial in self._injected if trial.gauge is gauge]
        unseen = max((trial.held_bytes for trial in trials if not self._is_seen(trial)), default=0)
        return min((trial.held_bytes for trial in trials if trial.held_bytes > unseen), default=None)

    def conditions(self, *, loaded: bool) -> Conditions | None:
        """How busy the machine was in the loaded half of the identical probes, or in the other one."""
        half = [trial for trial in self._identical if trial.loaded is loaded]
        if not half:
            return None
        loads = [trial.load_average for trial in half]
        return Conditions(len(half), median(loads), max(loads), median(trial.seconds for trial in half))

    def anchors(self, part: Part) -> Iterator[Anchor]:
        """The first readings of a part."""
        return (anchor for anchor in self.record.anchors.values() if anchor.part is part)

    def threads(self, part: Part) -> list[int]:
        """The numbers of threads that a part was run with."""
        return sorted({anchor.threads for anchor in self.anchors(part)})

    def _anchor(self, trial: Trial) -> Anchor:
        return self.record.anchors[trial.subject]

    def _due(self, trial: Trial) -> bool:
        return trial.held_bytes >= self._anchor(trial).resolution

    def _is_seen(self, trial: Trial) -> bool:
        anchor = self._anchor(trial)
        red = {
            phase
            for phase, metric, difference in trial.differences
            if difference > anchor.tolerance_for(phase, metric)
        }
        return trial.phase is not None and is_seen(trial.phase, trial.verdict, red)

    def _identical_count(
        self, gauge: Gauge, threads: int, loaded: bool, trials: list[Trial]
    ) -> IdenticalCount:
        moved = [
            (abs(difference), self._anchor(trial).tolerance_for(phase, metric))
            for trial in trials
            for phase, metric, difference in trial.differences
        ]
        return IdenticalCount(
            gauge,
            threads,
            loaded,
            probes=len(trials),
            figures=sum(self._anchor(trial).count for trial in trials),
            moved=len(moved),
            largest=max((size for size, _ in moved), default=0),
            share=_largest_share(moved),
            improved=sum(trial.verdict is VerdictKind.IMPROVED for trial in trials),
            alarms=sum(map(_is_alarm, trials)),
        )


def _is_alarm(trial: Trial) -> bool:
    return trial.verdict not in {VerdictKind.SAME, VerdictKind.IMPROVED}


def _largest_share(moved: Iterable[tuple[int, int]]) -> float | None:
    largest = 0.0
    for size, tolerance in moved:
        if tolerance == 0:
            return None
        largest = max(largest, size / tolerance)
    return largest
