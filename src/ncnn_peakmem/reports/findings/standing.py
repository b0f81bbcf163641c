"""Where each network stands: its chart, and a table of its cases."""

from __future__ import annotations

from collections.abc import Iterator

from ncnn_peakmem.case import network_of
from ncnn_peakmem.history import Fold, Point, Standing
from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.reports import quantity
from ncnn_peakmem.reports.history_report import HistoryReport
from ncnn_peakmem.reports.markdown_pieces import code, table
from ncnn_peakmem.reports.sparkline import sparkline

_HEADER = ("case", "trend", "first", "best", "worst", "today", "against the best")


def standings(report: HistoryReport, charts: str) -> Iterator[str]:
    """A section a network; `charts` is the folder of its chart, as the page sees it."""
    for network in report.networks:
        folds = [fold for fold in report.folds if network_of(fold.pattern) == network]
        yield from (f"### {network}", "")
        if Gauge.HEAP in report.gauges:
            yield from (f"![Heap peaks of {network} by release]({charts}/{network}.svg)", "")
        yield from table(_HEADER, [_row(report, fold) for fold in folds], names=2)


def _row(report: HistoryReport, fold: Fold) -> tuple[str, ...]:
    gauge, case = report.gauges[0], fold.cases[0]
    trend = sparkline([point.bytes for point in report.peak_series(case, gauge).points])
    place = report.peak_standings.get(case, {}).get(gauge)
    if place is None:
        return code(fold.pattern), code(trend), "", "", "", "", ""
    told = [_told(report, point) for point in (place.first, place.best, place.worst, place.today)]
    return code(fold.pattern), code(trend), *told, _against(place)


def _told(report: HistoryReport, point: Point) -> str:
    return f"{quantity.size(point.bytes or 0)} ({report.release_name(point.release)})"


def _against(place: Standing) -> str:
    if place.difference == 0:
        return "at its best"
    return f"{quantity.difference(place.difference)} ({quantity.percent(place.percent)})"
