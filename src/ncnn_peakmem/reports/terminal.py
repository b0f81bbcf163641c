"""The section at the end of a run, as plain lines that a terminal may colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from ncnn_peakmem.baselines import VerdictKind
from ncnn_peakmem.measurement import JUDGED, Gauge, Metric, Phase
from ncnn_peakmem.reports import overrun, quantity
from ncnn_peakmem.reports.group import grouped
from ncnn_peakmem.reports.row import Row, report_rows
from ncnn_peakmem.reports.run_report import RunReport

_MOST_STALE_NAMED = 10
_MOST_OVERRUNS = 20


class Style(StrEnum):
    """How a line is to look, by pytest's names for terminal markup; `rich` has the other library's."""

    PLAIN = ""
    STRONG = "bold"
    FAINT = "light"
    GOOD = "green"
    NOTE = "yellow"
    BAD = "red"

    @property
    def rich(self) -> str:
        """The style by rich's names."""
        return "dim" if self is Style.FAINT else self.value


_STYLES = {
    VerdictKind.SAME: Style.PLAIN,
    VerdictKind.IMPROVED: Style.GOOD,
    VerdictKind.NEW: Style.NOTE,
    VerdictKind.REGRESSED: Style.BAD,
    VerdictKind.BROKEN: Style.BAD,
}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text and its style."""

    text: str
    style: Style = Style.PLAIN

    @property
    def markup(self) -> dict[str, bool]:
        """The style as keyword arguments for pytest's `TerminalReporter.write_line`."""
        return {self.style.value: True} if self.style else {}


def lines(report: RunReport, *, verbose: bool = False) -> list[Line]:
    """The whole section; cases that stayed the same are only counted unless `verbose`."""
    return [
        Line(report.headline, _style(report)),
        Line(report.comparison),
        *_over_budget(report),
        *_table(report, verbose),
        *_reasons(report),
        *_paragraph([*_floors(report), *_looping(report)]),
        *_stale(report),
        *_caveats(report),
    ]


def _style(report: RunReport) -> Style:
    if not report.accepted:
        return Style.BAD
    return Style.GOOD if report.verdicts else Style.PLAIN


def _over_budget(report: RunReport) -> Iterator[Line]:
    """What exceeds which budget."""
    groups = grouped(report.over_budget, report)
    told = [
        Line(f"{group.title}   {overrun.in_words(found)}")
        for group in groups
        for found in group.verdicts[0].overruns
    ]
    if len(told) > _MOST_OVERRUNS:
        told[_MOST_OVERRUNS:] = [Line(f"and {len(told) - _MOST_OVERRUNS} figures more", Style.BAD)]
    return _paragraph([Line("over budget:", Style.BAD), *told] if told else [])


def _table(report: RunReport, verbose: bool) -> Iterator[Line]:
    table = report_rows(report, same=verbose)
    if not table:
        return
    header = ("case", "gauge", "measured", "baseline", "change", "phase")
    cells = [_cells(row) for row in table]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    yield Line("")
    yield Line(_aligned(header, widths), Style.STRONG)
    for kind, group in groupby(zip(table, cells, strict=True), key=lambda pair: pair[0].kind):
        yield Line(f"{kind}:", _STYLES[kind])
        yield from (Line(_aligned(line, widths)) for _, line in group)


def _cells(row: Row) -> tuple[str, ...]:
    return (row.case, row.gauge, row.measured, row.baseline, row.change, row.phase)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Names to the left, figures to the right."""
    case, gauge, *figures, phase = zip(cells, widths, strict=True)
    names = [text.ljust(width) for text, width in (case, gauge)]
    return "  ".join([*names, *(text.rjust(width) for text, width in figures), phase[0]]).rstrip()


def _reasons(report: RunReport) -> Iterator[Line]:
    """Why cases are new or broken, and how probes ended."""
    told = [Line(f"{_who(cases)}: {reason}") for reason, cases in report.reasons.items()]
    return _paragraph(told)


def _floors(report: RunReport) -> Iterator[Line]:
    """For each gauge with a floor its largest peak, as the operating system shows it and as it is judged."""
    for gauge in Gauge:
        metric = JUDGED[gauge][0]
        peaks = [
            (reading.peak(metric) or 0, case, reading)
            for case, measurement in report.measured.cases.items()
            if (reading := measurement.readings.get(gauge)) is not None and reading.floor(metric)
        ]
        if peaks:
            gross, case, reading = max(peaks, key=lambda peak: peak[0])
            floor = quantity.size(reading.floor(metric))
            net = quantity.size(gross - reading.floor(metric))
            sums = f"{quantity.size(gross)} gross = {floor} floor + {net} net"
            yield Line(f"{gauge} {metric}, largest: {sums} ({case})", Style.FAINT)


def _looping(report: RunReport) -> Iterator[Line]:
    """What looped inference adds to the first one's heap peak, where it adds most."""
    grown = [
        (steady - first, first, steady, reading.settled_at, case)
        for case, measurement in report.measured.cases.items()
        if (reading := measurement.readings.get(Gauge.HEAP)) is not None
        and (first := reading.gross(Phase.FIRST, Metric.PEAK)) is not None
        and (steady := reading.gross(Phase.STEADY, Metric.PEAK)) is not None
        and steady > first
    ]
    if grown:
        growth, first, steady, loop, case = max(grown)
        peaks = f"{quantity.size(first)} in the first, {quantity.size(steady)} from loop {loop} on"
        most = f"most by {quantity.size(growth)}: {peaks} ({case})"
        told = f"heap grows after the first inference in {quantity.counted(len(grown), 'case')}, {most}"
        yield Line(told, Style.FAINT)


def _stale(report: RunReport) -> Iterator[Line]:
    """The baselines that no case stands for any more, and what to do with them."""
    if not report.stale:
        return
    named = ", ".join(report.stale[:_MOST_STALE_NAMED])
    others = len(report.stale) - _MOST_STALE_NAMED
    more = f" and {others} more" if others > 0 else ""
    one = len(report.stale) == 1
    count = f"{quantity.counted(len(report.stale), 'baseline')} {'has' if one else 'have'}"
    remedy = f"remove {'it' if one else 'them'} from {report.baseline_file or 'the baseline file'}"
    yield Line("")
    yield Line(f"{count} no case in {report.models_file}: {named}{more}; {remedy}", Style.NOTE)


def _caveats(report: RunReport) -> Iterator[Line]:
    """The controls that could not be had, each with its advice."""
    told = [
        Line(f"caveat: {caveat.advice} ({quantity.counted(count, 'case')})", Style.NOTE)
        for caveat, count in report.caveats.items()
    ]
    return _paragraph(told)


def _paragraph(told: Sequence[Line]) -> Iterator[Line]:
    if told:
        yield Line("")
        yield from told


def _who(cases: Sequence[str]) -> str:
    return cases[0] if len(cases) == 1 else quantity.counted(len(cases), "case")
