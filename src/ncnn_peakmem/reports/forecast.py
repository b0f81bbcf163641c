"""A forecast for people and for programs, and the page that tells how good forecasts are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ncnn_peakmem.anatomy.part import Kind, Moment, Part, Split
from ncnn_peakmem.forecast.evaluation import Score, Trial
from ncnn_peakmem.forecast.prediction import Basis, Forecast
from ncnn_peakmem.measurement import Metric, Phase
from ncnn_peakmem.reports import quantity

SCHEMA = 1
"""The version of the JSON document."""

_PARTS = 5
_NAMES = 8


@dataclass(frozen=True, slots=True)
class ForecastReport:
    """A case's forecast for a release on a class of machines."""

    case: str
    ncnn: str
    machine: str
    forecast: Forecast


def render(report: ForecastReport) -> RenderableType:
    """The phases, the parts of the peak, and what the forecast rests on."""
    told = report.forecast
    title = Text(f"{report.case}  on ncnn {report.ncnn}  ", style="bold")
    title.append(f"forecast heap peak {quantity.size(told.peak.bytes)}, {told.peak.bytes} bytes")
    parts: list[RenderableType] = [
        title,
        Text(f"not measured; it comes about in {_when(told.peak.moment)}", "dim"),
    ]
    parts += [Text(), _phases(told), Text(), _kinds(told.peak), Text(), _largest(told.peak), Text()]
    parts += [Text(line, style=style) for line, style in _basis(told)]
    return Group(*parts)


def to_json(report: ForecastReport) -> str:
    """The report for programs."""
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "case": report.case,
        "ncnn": report.ncnn,
        "machine": report.machine,
        "peak": report.forecast.peak.bytes,
        "lower_bound": report.forecast.lower_bound,
        "forecast": json.loads(report.forecast.to_json()),
    }
    return json.dumps(document, indent=2) + "\n"


def _phases(told: Forecast) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("phase", no_wrap=True)
    for header in ("peak", "live at its end"):
        table.add_column(header, justify="right", no_wrap=True)
    for phase, metrics in told.phases.items():
        if phase is not Phase.IMPORT:
            table.add_row(phase, *(quantity.size(metrics[metric]) for metric in (Metric.PEAK, Metric.LIVE)))
    return table


def _kinds(peak: Split) -> Table:
    table = Table.grid(padding=(0, 2))
    for kind in (kind for kind in Kind if peak.of(kind)):
        size = peak.of(kind)
        table.add_row(
            kind,
            Text(quantity.size(size), justify="right"),
            Text(f"{100 * size / peak.bytes:.1f} %", justify="right"),
        )
    return table


def _largest(peak: Split) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("largest parts", no_wrap=True, overflow="ellipsis")
    table.add_column("", no_wrap=True)
    table.add_column("bytes", justify="right", no_wrap=True)
    for part in peak.parts[:_PARTS]:
        table.add_row(_where(part), part.kind, quantity.size(part.bytes))
    return table


def _where(part: Part) -> str:
    where = part.where if part.layer else "the network"
    return f"{where}, {part.note}" if part.note else where


def _basis(told: Forecast) -> Iterator[tuple[str, str]]:
    basis = told.basis
    learned = basis.layers - len(basis.computed)
    share = 100 * basis.computed_bytes / told.peak.bytes if told.peak.bytes else 0
    layers = f"{quantity.counted(learned, 'layer')} learned from traces, {len(basis.computed)} computed"
    yield f"{layers}: {quantity.size(basis.computed_bytes)} of the peak ({share:.1f} %) are computed", ""
    if basis.computed:
        yield f"computed: {_named(basis)}", "dim"
    if told.growing:
        yield f"the peak still grows after {quantity.counted(told.loops, 'loop')}", "yellow"
    yield from ((f"note: {note}", "dim") for note in basis.notes)
    yield from ((f"doubt: {doubt}", "yellow") for doubt in basis.doubts)


def _named(basis: Basis) -> str:
    more = len(basis.computed) - _NAMES
    return ", ".join(basis.computed[:_NAMES]) + (f" and {more} more" if more > 0 else "")


def _when(moment: Moment) -> str:
    loop = "" if moment.loop is None else f", inference {moment.loop}"
    return f"{moment.phase}{loop}" + (f", at {moment.title} ({moment.layer})" if moment.layer else "")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Trials of a machine class: with all recipes, with those that other networks taught, and without any."""

    machine: str
    learned: Sequence[Trial]
    by_others: Sequence[Trial]
    by_rule: Sequence[Trial]


def page(evaluation: Evaluation) -> str:
    """The tables of docs/forecast.md, as Markdown."""
    lines = [f"Machine class `{evaluation.machine}`.", ""]
    lines += ["| recipes | cases | exact | median | worst |", "|---|---:|---:|---:|---:|"]
    for title, tried in (
        ("learned from all nine networks", evaluation.learned),
        ("learned from the other eight networks", evaluation.by_others),
        ("none: all computed", evaluation.by_rule),
    ):
        score = Score.of(tried)
        lines.append(
            f"| {title} | {score.cases} | {score.exact} | {score.median:.3f} % | {score.worst:.3f} % |"
        )
    lines += ["", "| release | cases | exact | median | worst |", "|---|---:|---:|---:|---:|"]
    for release in dict.fromkeys(trial.release for trial in evaluation.by_rule):
        score = Score.of([trial for trial in evaluation.by_rule if trial.release == release])
        lines.append(
            f"| {release} | {score.cases} | {score.exact} | {score.median:.3f} % | {score.worst:.3f} % |"
        )
    lines += ["", "| case | release | measured | forecast | error | from the other eight | computed |"]
    lines += ["|---|---|---:|---:|---:|---:|---:|"]
    for own, others in zip(evaluation.learned, evaluation.by_others, strict=True):
        lines.append(
            f"| {own.case.id} | {own.release} | {own.measured:,} | {own.forecast:,} | {own.error:+.3f} % "
            f"| {others.error:+.3f} % | {100 * others.computed:.0f} % |"
        )
    return "\n".join(lines) + "\n"
