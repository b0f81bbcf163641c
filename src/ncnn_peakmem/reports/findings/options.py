"""What the options change: each axis, network by network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from ncnn_peakmem.case import network_of
from ncnn_peakmem.history import NO_LABEL, Axis, AxisEffect, Difference
from ncnn_peakmem.reports import quantity
from ncnn_peakmem.reports.history_report import HistoryReport
from ncnn_peakmem.reports.markdown_pieces import code, table


def options(report: HistoryReport) -> Iterator[str]:
    """A section an axis; one that never changed anything gets a sentence and no table."""
    for axis, effects in _by_axis(report).items():
        yield from (f"### {in_words(axis)}", "")
        if any(effect.differing for effect in effects):
            yield from (f"{counts(effects)} differ.", "", *_table(report, axis, effects))
        else:
            yield from (f"Nothing: {counts(effects)} differ.", "")


def in_short(report: HistoryReport) -> Iterator[str]:
    """A sentence an axis: what it does to the overall peak today, or that it never changed anything."""
    gauge = report.gauges[0]
    for axis, effects in _by_axis(report).items():
        peaks = [found for found in report.peak_differences if found.axis == axis]
        today = [found for found in peaks if found.figure.gauge is gauge]
        if not any(effect.differing for effect in effects):
            yield f"{in_words(axis)} changes nothing: {counts(effects)} differ."
        elif today:
            yield f"{in_words(axis)} changes the {gauge} peak today by {at_the_peak(today)}."


def in_words(axis: Axis) -> str:
    """Such as `light` instead of `heavy`."""
    return f"{_label(axis.other)} instead of {_label(axis.one)}"


def counts(effects: Sequence[AxisEffect]) -> str:
    """How many of all figures differ: `0 of 720 figures of heap and 0 of 720 figures of pages`."""
    told = []
    for gauge in dict.fromkeys(effect.gauge for effect in effects):
        of_gauge = [effect for effect in effects if effect.gauge is gauge]
        differing = sum(effect.differing for effect in of_gauge)
        told.append(f"{differing} of {sum(effect.pairs for effect in of_gauge)} figures of {code(gauge)}")
    return " and ".join(told)


def at_the_peak(found: Sequence[Difference]) -> str:
    """What an axis does to overall peaks: `-12.00 to -30.00 MiB (-20 to -51 %)`."""
    told = quantity.differences([difference.bytes for difference in found])
    return f"{told} ({quantity.percents(difference.percent for difference in found)})"


def _by_axis(report: HistoryReport) -> Mapping[Axis, Sequence[AxisEffect]]:
    found: defaultdict[Axis, list[AxisEffect]] = defaultdict(list)
    for effect in report.axis_effects:
        found[effect.axis].append(effect)
    return found


def _table(report: HistoryReport, axis: Axis, effects: Sequence[AxisEffect]) -> Iterator[str]:
    gauge = report.gauges[0]
    header = ("network", "figures that differ", "least", "most", f"{gauge} peak today")
    rows = []
    for effect in (effect for effect in effects if effect.gauge is gauge):
        today = [
            found
            for found in report.peak_differences
            if found.axis == axis and found.figure.gauge is gauge and network_of(found.one) == effect.network
        ]
        share = f"{effect.differing} of {effect.pairs}"
        peak = at_the_peak(today) if today else ""
        rows.append((effect.network, share, _extreme(effect.least), _extreme(effect.most), peak))
    yield from table(header, rows)


def _extreme(found: Difference | None) -> str:
    return "" if found is None else quantity.difference(found.bytes)


def _label(label: str) -> str:
    return code(label) if label != NO_LABEL else "no label"
