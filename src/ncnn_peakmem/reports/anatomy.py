"""Where a case's bytes are, for a terminal: the peak by kind, the layers, what would lower it, the bridge."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ncnn_peakmem.anatomy.bridge import Step
from ncnn_peakmem.anatomy.dissection import Dissection
from ncnn_peakmem.anatomy.part import Kind, Moment, Split
from ncnn_peakmem.anatomy.saving import Saving
from ncnn_peakmem.anatomy.timeline import LayerRow
from ncnn_peakmem.reports import quantity
from ncnn_peakmem.reports.sparkline import sparkline

_ROWS_FOLDED = 6
_BAR = 60
_LINE = 80
_FILL = dict(zip(Kind, "█▓·▒░─?", strict=True))
_STYLE = dict(zip(Kind, ("blue", "magenta", "white", "green", "yellow", "bright_black", "red"), strict=True))

_SHORT = {Kind.HELD_TWICE: "held twice"}


@dataclass(frozen=True, slots=True)
class AnatomyReport:
    """What is shown of one case on one ncnn build."""

    case: str
    ncnn: str
    dissection: Dissection
    bridge: tuple[Step, ...]


def render(report: AnatomyReport, *, every_row: bool = False) -> RenderableType:
    """All of it; only the layers that ask for most unless `every_row` is true."""
    attribution, rows = report.dissection.attribution, report.dissection.rows
    parts: list[RenderableType] = [*_title(report), *_kinds(attribution.peak), Text()]
    if rows:
        parts += [_layers(rows, attribution.peak.moment, every_row=every_row), *_lines(rows), Text()]
    parts.append(_load(attribution.load))
    if lowering := [saving for saving in report.dissection.savings if saving.peak < attribution.peak.bytes]:
        parts += [Text(), _savings(lowering, attribution.peak.bytes)]
    parts += [Text(), _bridge(report.bridge)]
    parts += [Text(f"note: {note}", style="yellow") for note in attribution.notes]
    return Group(*parts)


def _title(report: AnatomyReport) -> Iterator[Text]:
    peak = report.dissection.attribution.peak
    title = Text(f"{report.case}  on ncnn {report.ncnn}  ", style="bold")
    yield title.append(f"heap peak {quantity.size(peak.bytes)}, {peak.bytes} bytes")
    yield Text(f"reached in {_when(peak.moment)}", style="dim")


def _when(moment: Moment) -> str:
    phase = moment.phase if moment.loop is None else f"inference {moment.loop} ({moment.phase})"
    return f"{phase}, at {moment.title} ({moment.layer})" if moment.layer else phase


def _kinds(peak: Split) -> Iterator[RenderableType]:
    """The peak as a bar of a line, and what each stretch of it is."""
    sizes = {kind: peak.of(kind) for kind in Kind if peak.of(kind)}
    bar = Text()
    for kind, size in sizes.items():
        bar.append(_FILL[kind] * max(1, round(_BAR * size / peak.bytes)), style=_STYLE[kind])
    yield bar
    table = Table.grid(padding=(0, 2))
    for kind, size in sizes.items():
        largest = max((part for part in peak.parts if part.kind is kind), key=lambda part: part.bytes)
        told = f"{largest.where} {quantity.size(largest.bytes)}" if largest.layer else largest.note
        table.add_row(
            Text(f"{_FILL[kind]} {kind}", style=_STYLE[kind]),
            Text(quantity.size(size), justify="right"),
            Text(f"{100 * size / peak.bytes:.1f} %", justify="right"),
            Text(f"most of it {told}" if told and largest.bytes < size else told, style="dim"),
        )
    yield table


def _layers(rows: Sequence[LayerRow], moment: Moment, *, every_row: bool) -> Table:
    shown = rows if every_row else _largest(rows, moment)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1), collapse_padding=True)
    table.add_column("layer, KiB")
    for header in ("shape", "input", "output", "weights", "work-\nspace", "live\nafter", "running\npeak"):
        table.add_column(header, justify="right", no_wrap=True)
    for row in shown:
        sizes = (row.input, row.output, row.weights, row.workspace, row.live_after, row.running_peak)
        here = row.layer == moment.layer
        table.add_row(
            f"{'*' if here else ' '}{row.where}",
            "x".join(map(str, row.shape)),
            *(f"{size / 1024:,.0f}" for size in sizes),
            style="bold" if here else "",
        )
    if len(shown) < len(rows):
        table.add_row(Text(f" {len(rows) - len(shown)} more with --all", style="dim"))
    return table


def _largest(rows: Sequence[LayerRow], moment: Moment) -> list[LayerRow]:
    """The layers that ask the pools for most while they run, in the order in which they do."""
    ranked = sorted(
        rows, key=lambda row: (row.layer != moment.layer, -row.input - row.output - row.workspace)
    )
    return [row for row in rows if row in ranked[:_ROWS_FOLDED]]


def _lines(rows: Sequence[LayerRow]) -> Iterator[Text]:
    """The inference as lines of blocks, one a layer, or the highest of several."""
    for name, figures in (
        ("held", [row.held_after for row in rows]),
        ("live", [row.live_after for row in rows]),
    ):
        line = sparkline(_squeezed(figures, _LINE))
        told = f"{quantity.size(min(figures))} to {quantity.size(max(figures))}"
        yield Text(f" {name} ").append(line, style="green").append(f" {told}", style="dim")


def _squeezed(figures: Sequence[int], width: int) -> list[int]:
    """At most so many figures, each the largest of those it stands for."""
    count = min(width, len(figures))
    edges = [len(figures) * place // count for place in range(count + 1)]
    return [max(figures[first:last]) for first, last in pairwise(edges)]


def _load(load: Split) -> Text:
    kinds: Counter[Kind] = Counter()
    for part in load.parts:
        kinds[part.kind] += part.bytes
    told = ", ".join(f"{_SHORT.get(kind, kind)} {quantity.size(size)}" for kind, size in kinds.items())
    at = f", at {load.moment.title} ({load.moment.layer})" if load.moment.layer else ""
    return Text("load peak ", style="bold").append(
        f"{quantity.size(load.bytes)}{at}: {told}", style="not bold"
    )


def _savings(savings: Sequence[Saving], peak: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    table.add_column("what would lower it")
    table.add_column("by", justify="right", no_wrap=True)
    table.add_column("peak then", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for saving in savings:
        kind = _SHORT.get(saving.kind, saving.kind)
        table.add_row(
            f"  without {kind} of {saving.where}, {quantity.size(saving.bytes)}",
            quantity.difference(saving.peak - peak),
            quantity.size(saving.peak),
            Text(f"at {saving.then}" if saving.then else "", style="dim"),
        )
    return table


def _bridge(steps: Sequence[Step]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    table.add_column("from paper to VmPeak")
    table.add_column("bytes", justify="right", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    for number, step in enumerate(steps):
        size = f"{step.bytes:,}" if step.is_sum or not number else f"{step.bytes:+,}"
        table.add_row(
            f"{'= ' if step.is_sum else '  '}{step.text}",
            size,
            quantity.size(step.bytes),
            style="bold" if step.is_sum else "",
        )
    return table


def document(report: AnatomyReport) -> dict[str, Any]:
    """All of it for programs, in bytes."""
    return {
        "schema": 1,
        "case": report.case,
        "ncnn": report.ncnn,
        **json.loads(report.dissection.to_json()),
        "bridge": [asdict(step) for step in report.bridge],
    }
