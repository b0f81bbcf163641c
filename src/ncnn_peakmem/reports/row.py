"""A line of a summary's table: one gauge of one case beside its baseline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ncnn_peakmem.baselines import Change, Verdict, VerdictKind
from ncnn_peakmem.measurement import JUDGED, Gauge, Measurement
from ncnn_peakmem.reports import quantity
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
    """The rows of all verdicts, the gravest and largest first, with or without those that stayed the same."""
    told = [verdict for verdict in report.ordered if same or verdict.kind is not VerdictKind.SAME]
    return [row for verdict in told for row in rows(verdict, report.measured.cases.get(verdict.case))]


def rows(verdict: Verdict, measurement: Measurement | None) -> list[Row]:
    """The gauges that moved; all of them where none did; one line without figures where there are none."""
    return list(_gauges(verdict, measurement)) or [Row(verdict.case, verdict.kind)]


def _gauges(verdict: Verdict, measurement: Measurement | None) -> Iterator[Row]:
    moved = {change.gauge for change in verdict.changes}
    for gauge in Gauge:
        if moved and gauge not in moved:
            continue
        figure = verdict.only(gauge).headline
        if figure is not None:
            yield _compared(verdict, figure)
        elif measurement is not None and gauge in measurement.readings:
            yield _alone(verdict, gauge, measurement)


def _compared(verdict: Verdict, figure: Change) -> Row:
    main = JUDGED[figure.gauge][0]
    return Row(
        case=verdict.case,
        kind=verdict.kind,
        gauge=figure.gauge,
        measured=quantity.size(figure.measured),
        baseline=quantity.size(figure.baseline),
        change=quantity.difference(figure.difference),
        percent=quantity.percent(figure.percent),
        phase=figure.phase if figure.metric is main else f"{figure.phase} {figure.metric}",
    )


def _alone(verdict: Verdict, gauge: Gauge, measurement: Measurement) -> Row:
    peak = measurement.readings[gauge].net_peak(JUDGED[gauge][0])
    told = "" if peak is None else quantity.size(peak)
    return Row(verdict.case, verdict.kind, gauge=gauge, measured=told)
