"""One measurement as tables for a terminal: a table a gauge, phases down, metrics across."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ncnn_peakmem.baselines import in_words
from ncnn_peakmem.measurement import STORED, Gauge, Measurement, Metric, Phase, Reading
from ncnn_peakmem.reports import quantity


def tables(measurement: Measurement) -> RenderableType:
    """All gauges of a measurement; `*` marks where each metric is largest."""
    parts: list[RenderableType] = [Text(f"{measurement.case}  (model {measurement.model})", style="bold")]
    for gauge in (gauge for gauge in Gauge if gauge in measurement.readings):
        reading = measurement.readings[gauge]
        parts += [Text(), _title(gauge, reading), _table(gauge, reading)]
    return Group(*parts, *_caveats(measurement))


def _title(gauge: Gauge, reading: Reading) -> Text:
    loops = quantity.counted(reading.loops, "loop")
    told = Text(f"{gauge}  ", style="bold")
    told.append(in_words(reading.outcome), style="green" if reading.outcome.ok else "red")
    return told.append(f", {loops}, settled at {reading.settled_at}", style="dim")


def _table(gauge: Gauge, reading: Reading) -> Table:
    metrics = [metric for metric in STORED[gauge] if reading.peak(metric) is not None]
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("phase", no_wrap=True)
    for metric in metrics:
        table.add_column(metric, justify="right", no_wrap=True)
        if _has_net(reading, metric):
            table.add_column("net", justify="right", no_wrap=True)
    for phase in (phase for phase in Phase if phase in reading.phases):
        table.add_row(phase, *(cell for metric in metrics for cell in _cells(reading, phase, metric)))
    return table


def _cells(reading: Reading, phase: Phase, metric: Metric) -> list[Text]:
    gross, net = reading.gross(phase, metric), reading.net(phase, metric)
    largest = phase is _reached(reading, metric)
    cells = [_figure(gross, largest=largest)]
    if _has_net(reading, metric):
        cells.append(Text("floor") if phase is Phase.IMPORT else _figure(net, largest=largest))
    return cells


def _figure(count: int | None, *, largest: bool) -> Text:
    if count is None:
        return Text()
    return Text(f"*{quantity.size(count)}", style="bold") if largest else Text(quantity.size(count))


def _has_net(reading: Reading, metric: Metric) -> bool:
    """Whether net and gross are both worth a column; nets of all metrics would outgrow a terminal."""
    return metric in {Metric.VM_PEAK, Metric.RSS_ANON} and reading.floor(metric) != 0


def _reached(reading: Reading, metric: Metric) -> Phase:
    """The first phase in which the metric is as large as it gets."""
    return next(phase for phase in Phase if reading.gross(phase, metric) == reading.peak(metric))


def _caveats(measurement: Measurement) -> list[Text]:
    told = [Text(f"caveat: {caveat.advice}", style="yellow") for caveat in measurement.caveats]
    return [Text(), *told] if told else []
