"""A history as tables for a terminal: where each case stands, and what moved it there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, takewhile

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ncnn_peakmem.baselines import in_words
from ncnn_peakmem.case import network_of
from ncnn_peakmem.history import ChangePoint, Fold, Movement, Point, Standing
from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.reports import quantity
from ncnn_peakmem.reports.figure_name import in_short as figures_in_short
from ncnn_peakmem.reports.findings.options import in_short
from ncnn_peakmem.reports.history_report import HistoryReport
from ncnn_peakmem.reports.sparkline import sparkline

_MOST_NAMED = 4
_WIDEST = 100
_WIDTHS = (13, 13, 11, 10)
_WORSE, _BETTER, _FAINT = "red", "green", "dim"


def tables(report: HistoryReport, *, verbose: bool = False) -> RenderableType:
    """The whole history; made for 100 columns, and cells are wrapped where there are fewer.

    What the process's gauges did otherwise than the heap is summed up unless `verbose`.
    """
    notes = [Text(line) for line in _notes(report)]
    changes = [*_changes(report, verbose)] or [Text("no figure left its level on any release")]
    # Markdown's quotes are of no use on a terminal.
    options = [Text(line.replace("`", "")) for line in in_short(report)]
    parts: list[RenderableType] = [_head(report), _standings(report), Group(*changes)]
    parts += [Group(*lines) for lines in (options, notes) if lines]
    return Group(*(Group(part, Text()) for part in parts))


def _head(report: HistoryReport) -> Text:
    history = report.history
    cases = quantity.counted(len(history.cases), "case")
    releases = quantity.counted(len(history.releases), "release")
    told = Text(f"{cases} on {releases} of ncnn", style="bold")
    return told.append(f"\n{history.machine.id}", style="not bold dim")


def _standings(report: HistoryReport) -> Table:
    """Where the overall peak of the first gauge stands: a row a fold, each size above its release."""
    gauge = report.gauges[0]
    table = Table(box=None, pad_edge=False, header_style=_FAINT)
    table.add_column(f"{gauge} peak", overflow="fold", min_width=len(report.history.versions) + 2)
    for name in ("first", "best", "worst", "today", "against\nbest"):
        table.add_column(name, justify="right", no_wrap=True)
    for _, folds in groupby(report.folds, key=lambda fold: network_of(fold.pattern)):
        of_network = list(folds)
        head = _common_head(of_network)
        table.add_row(Text(head, style="bold"))
        for fold in of_network:
            place = report.peak_standings.get(fold.cases[0], {}).get(gauge)
            case = Text(f"  {fold.pattern.removeprefix(head).removeprefix('-')}\n  ")
            case.append(_trend(report, fold, gauge), style="cyan")
            table.add_row(case, *(_places(report, place) if place else ()))
    return table


def _common_head(folds: Sequence[Fold]) -> str:
    """The labels that all patterns begin with, but for their last."""
    split = [fold.pattern.split("-")[:-1] for fold in folds]
    shared = takewhile(lambda labels: len(set(labels)) == 1, zip(*split, strict=False))
    return "-".join(labels[0] for labels in shared)


def _trend(report: HistoryReport, fold: Fold, gauge: Gauge) -> str:
    return sparkline([point.bytes for point in report.peak_series(fold.cases[0], gauge).points])


def _places(report: HistoryReport, place: Standing) -> Iterator[Text]:
    for point in (place.first, place.best, place.worst, place.today):
        yield _size(report, point)
    if place.difference == 0:
        yield Text("at its best", style=_BETTER)
        return
    told = f"{quantity.difference(place.difference)}\n{quantity.percent(place.percent)}"
    yield Text(told, style=_WORSE if report.exceeds(place) else _FAINT)


def _size(report: HistoryReport, point: Point) -> Text:
    told = Text(quantity.size(point.bytes or 0))
    return told.append(f"\n{report.release_name(point.release)}", style=_FAINT)


def _changes(report: HistoryReport, verbose: bool) -> Iterator[RenderableType]:
    """Every movement under its release, the largest first; figures that moved alike share a row."""
    by_release = groupby(report.movements, key=lambda movement: movement.release)
    told = {release: tuple(found) for release, found in by_release}
    for release in report.history.versions:
        movements = told.get(release, ())
        echoes = report.echoes_by_release.get(release, 0)
        if not movements and not echoes:
            continue
        in_rows = [found for found in movements if verbose or found.gauge is report.gauges[0]]
        yield _release_name(release, with_columns=bool(in_rows))
        for movement in in_rows:
            yield _movement_name(report, movement)
            yield _strands(movement)
        if not verbose:
            yield from _summed_up(report, movements)
        if echoes:
            count = quantity.counted(echoes, "figure")
            yield Text(f"  {count} of the process moved along with the heap", style=_FAINT)


def _summed_up(report: HistoryReport, movements: Sequence[Movement]) -> Iterator[Text]:
    for gauge in report.gauges[1:]:
        changes = [change for movement in movements for change in movement.changes if movement.gauge is gauge]
        if changes:
            cases = quantity.counted(len({change.case for change in changes}), "case")
            sizes = sorted({change.difference for change in changes})
            reach = " to ".join(map(quantity.difference, dict.fromkeys((sizes[0], sizes[-1]))))
            count = quantity.counted(len(changes), "figure")
            told = f"  {gauge} otherwise than the heap: {reach} in {count} of {cases}"
            yield Text(told, style=_FAINT)


def _movement_name(report: HistoryReport, movement: Movement) -> Text:
    told = Text(f"  {movement.fold.pattern}")
    if skipped := movement.changes[0].skipped:
        releases = ", ".join(map(report.release_name, skipped))
        told.append(f"  since {report.release_name(movement.previous)}, not read on {releases}", _FAINT)
    return told


def _release_name(release: str, *, with_columns: bool) -> RenderableType:
    name = Text(f"ncnn {release}", style="bold")
    if not with_columns:
        return name
    table = _columns()
    headers = (Text(name, style=_FAINT) for name in ("before", "after", "change"))
    table.add_row(name, *headers)
    return Constrain(table, _WIDEST)


def _columns() -> Table:
    """Columns for what a movement did; their widths are fixed, so that the tables of all movements align."""
    table = Table.grid(padding=(0, 1, 0, 0), expand=True)
    table.add_column(ratio=1)
    for width in _WIDTHS:
        table.add_column(width=width, justify="right", no_wrap=True)
    return table


def _strands(movement: Movement) -> RenderableType:
    table = _columns()
    for strand in movement.strands:
        first = strand[0]
        lead = movement.at(first.figure)
        name = figures_in_short(dict.fromkeys(change.figure for change in strand))
        table.add_row(
            Padding(Text(f"{name}, bit by bit" if first.crept else name, style=_FAINT), (0, 0, 0, 4)),
            _span([change.before for change in lead]),
            _span([change.after for change in lead]),
            Text(quantity.difference(first.difference), style=_WORSE if first.difference > 0 else _BETTER),
            _percents(lead),
        )
    return Constrain(table, _WIDEST)


def _span(sizes: Sequence[int]) -> str:
    """One size, or two where cases that moved alike began at different ones."""
    return "\nto ".join(dict.fromkeys(quantity.size(size) for size in (min(sizes), max(sizes))))


def _percents(changes: Sequence[ChangePoint]) -> str:
    known = sorted(change.percent for change in changes if change.percent is not None)
    if not known:
        return quantity.percent(None)
    return "\nto ".join(dict.fromkeys(map(quantity.percent, (known[0], known[-1]))))


def _notes(report: HistoryReport) -> Iterator[str]:
    """Outcomes, other models, and what was not measured."""
    for movement in report.outcome_movements:
        ends = f"{in_words(movement.after)}; on {movement.previous}: {in_words(movement.before)}"
        yield f"from {movement.release} on {movement.fold.pattern} {'/'.join(movement.gauges)} {ends}"
    for fold, outcome in report.failing:
        yield f"{fold.pattern} {in_words(outcome)}, when it was last measured"
    for release, folds in report.other_models.items():
        yield f"from {release} on another model: {_named(folds)}; what was before is not compared"
    for gap in report.gaps:
        verb = "lack" if len(gap.releases) > 1 else "lacks"
        yield f"{', '.join(gap.releases)} {verb} {'/'.join(gap.gauges)} of {_named(gap.folds)}"


def _named(folds: Sequence[Fold]) -> str:
    named = ", ".join(fold.pattern for fold in folds[:_MOST_NAMED])
    others = sum(len(fold.cases) for fold in folds[_MOST_NAMED:])
    return f"{named} and {quantity.counted(others, 'more case')}" if others else named
