"""The findings in short: a handful of sentences and a row a network, each with its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

from ncnn_peakmem.case import network_of
from ncnn_peakmem.history import PEAKS, Cause, Evidence, Standing, evidence_of
from ncnn_peakmem.measurement import Phase
from ncnn_peakmem.reports import quantity
from ncnn_peakmem.reports.findings.changes import EVIDENCE
from ncnn_peakmem.reports.findings.options import in_short
from ncnn_peakmem.reports.history_report import HistoryReport
from ncnn_peakmem.reports.markdown_pieces import code, table

_HEADER = ("network", "today against its best release", "today against the first", "worst release")


def summary(report: HistoryReport, causes: Sequence[Cause]) -> Iterator[str]:
    """What a reader should take away, first in words and then by network."""
    sentences = [
        *_today(report),
        *_largest(report),
        *_explained(report, causes),
        *in_short(report),
        _outcomes(report),
    ]
    yield from (f"- {sentence}" for sentence in sentences)
    yield ""
    yield from table(_HEADER, [row for network in report.networks if (row := _row(report, network))])


def _today(report: HistoryReport) -> Iterator[str]:
    places = _places(report)
    if not places:
        return
    above = [place for place in places if report.exceeds(place)]
    best = sum(place.difference == 0 for place in places)
    close = len(places) - best - len(above)
    gauge, newest = report.gauges[0], report.history.versions[-1]
    told = f"{best} of {quantity.counted(len(places), 'case')} have never had a smaller {gauge} peak"
    told += f", {close} have by less than may change between releases" if close else ""
    told += f", {len(above)} have by more" if above else ""
    yield f"Today, which is {newest}, {told}."
    if above:
        worst = max(above, key=lambda place: place.percent or 0)
        more = f"{quantity.difference(worst.difference)} ({quantity.percent(worst.percent)})"
        yield f"Furthest from its best is {_name(report, worst.case)}: {more} above {worst.best.release}."
    fallen = sum((place.today.bytes or 0) < (place.first.bytes or 0) for place in places)
    risen = sum((place.today.bytes or 0) > (place.first.bytes or 0) for place in places)
    yield f"Since the first release measured, {fallen} have come down and {risen} have gone up."


def _largest(report: HistoryReport) -> Iterator[str]:
    peak = PEAKS[report.gauges[0]]
    # Unloading begins with what looped inference left.
    figures = {
        figure
        for figure in report.figures
        if (figure.gauge, figure.metric) == (peak.gauge, peak.metric) and figure.phase is not Phase.UNLOAD
    }
    peaks = [change for change in report.changes if change.figure in figures]
    for way, sign in (("up", 1), ("down", -1)):
        found = [change for change in peaks if change.difference * sign > 0 and change.before]
        if found:
            step = max(found, key=lambda change: change.size)
            sizes = f"{quantity.size(step.before)} to {quantity.size(step.after)}"
            told = f"{step.figure} of {_name(report, step.case)}, {sizes} ({quantity.percent(step.percent)})"
            yield f"The largest step {way} came with {step.release}: {told}."


def _explained(report: HistoryReport, causes: Sequence[Cause]) -> Iterator[str]:
    for gauge in report.gauges:
        found = [
            change
            for change in report.changes
            if change.figure.gauge is gauge and change not in report.echoes
        ]
        if found:
            count = Counter(evidence_of(change, causes) for change in found)
            told = [f"{words} {count[kind]}" for kind, words in EVIDENCE.items() if count[kind]]
            otherwise = "" if gauge is report.gauges[0] else " otherwise than the heap"
            times = quantity.counted(len(found), "time")
            yield (
                f"Figures of {code(gauge)} left their level {times}{otherwise}. The cause: {', '.join(told)}."
            )
            if count[Evidence.EITHER_WAY]:
                yield (
                    "A cause fits either way where what is known would explain it as well or better "
                    "had the figure gone the other way: that is no explanation yet."
                )


def _outcomes(report: HistoryReport) -> str:
    if not report.failing and not report.outcome_changes:
        return "Every case ran to its end on every release it was measured on."
    changed = quantity.counted(len({change.case for change in report.outcome_changes}), "case")
    failing = sum(len(fold.cases) for fold, _ in report.failing)
    told = f"{changed} ended in one way on some releases and in another on others"
    return f"{told}; {failing} did not run to their end when they were last measured."


def _row(report: HistoryReport, network: str) -> tuple[str, ...]:
    places = [place for place in _places(report) if network_of(place.case) == network]
    if not places:
        return ()
    moved = [place for place in places if place.worst.bytes != place.best.bytes]
    worst = ", ".join(sorted({report.release_name(place.worst.release) for place in moved})) or "none"
    return network, _against(places, "best"), _against(places, "first"), worst


def _against(places: Sequence[Standing], name: Literal["best", "first"]) -> str:
    then = [getattr(place, name).bytes for place in places]
    more = [(place.today.bytes or 0) - old for place, old in zip(places, then, strict=True)]
    if not any(more):
        return "the same"
    shares = [100 * grown / old if old else None for grown, old in zip(more, then, strict=True)]
    return f"{quantity.differences(more)} ({quantity.percents(shares)})"


def _name(report: HistoryReport, case: str) -> str:
    return code(next(fold.pattern for fold in report.folds if case in fold.cases))


def _places(report: HistoryReport) -> list[Standing]:
    gauge = report.gauges[0]
    return [found[gauge] for found in report.peak_standings.values() if gauge in found]
