"""A line of a summary's table: one gauge of a case, or of cases alike, beside its baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ncnn_peakmem.baselines import Change, VerdictKind
from ncnn_peakmem.measurement import JUDGED, Gauge, Measurement, Reading
from ncnn_peakmem.reports import quantity
from ncnn_peakmem.reports.group import Group, grouped
from ncnn_peakmem.reports.run_report import RunReport


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of a table's line, as text. Figures are net of the floor; what there is not is empty."""

    case: str
    kind: VerdictKind
    gauge: str = ""
    measured: str = ""
    baseline: str = ""
    change: str = ""
    percent: str = ""
    phase: str = ""


def report_rows(report: RunReport, *, same: bool = True) -> list[Row]:
    """The rows of all verdicts, the gravest and largest first, with or without those that stayed the same.

    Cases that came to the same share theirs.
    """
    told = [verdict for verdict in report.ordered if same or verdict.kind is not VerdictKind.SAME]
    return [row for group in grouped(told, report) for row in rows(group, report.measured.cases)]


def rows(group: Group, measured: Mapping[str, Measurement]) -> list[Row]:
    """The gauges that moved; all of them where none did; one line without figures where there are none."""
    return list(_gauges(group, measured)) or [Row(group.title, group.verdicts[0].kind)]


def _gauges(group: Group, measured: Mapping[str, Measurement]) -> Iterator[Row]:
    moved = {change.gauge for verdict in group.verdicts for change in verdict.changes}
    for gauge in Gauge:
        if moved and gauge not in moved:
            continue
        told = [figure for verdict in group.verdicts if (figure := verdict.only(gauge).headline) is not None]
        if told:
            yield _compared(group, told)
        elif found := [
            measured[verdict.case].readings[gauge]
            for verdict in group.verdicts
            if verdict.case in measured and gauge in measured[verdict.case].readings
        ]:
            yield _alone(group, gauge, found)


def _compared(group: Group, told: Sequence[Change]) -> Row:
    # By the least exact of the gauges, cases that are told together may differ.
    largest = max(told, key=lambda figure: figure.size)
    main = JUDGED[largest.gauge][0]
    return Row(
        case=group.title,
        kind=group.verdicts[0].kind,
        gauge=largest.gauge,
        measured=_span(quantity.size, [figure.measured for figure in told]),
        baseline=_span(quantity.size, [figure.baseline for figure in told]),
        change=_span(quantity.difference, [figure.difference for figure in told]),
        percent=quantity.percent(largest.percent),
        phase=largest.phase if largest.metric is main else f"{largest.phase} {largest.metric}",
    )


def _alone(group: Group, gauge: Gauge, readings: Sequence[Reading]) -> Row:
    peaks = [peak for reading in readings if (peak := reading.net_peak(JUDGED[gauge][0])) is not None]
    told = _span(quantity.size, peaks) if peaks else ""
    return Row(group.title, group.verdicts[0].kind, gauge=gauge, measured=told)


def _span(written: Callable[[int], str], counts: Sequence[int]) -> str:
    """From the least to the most, such as `98.04 MiB to 99.10 MiB`; once where they read the same."""
    least, most = written(min(counts)), written(max(counts))
    return least if least == most else f"{least} to {most}"
