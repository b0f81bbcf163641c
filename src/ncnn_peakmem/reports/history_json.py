"""A history as JSON, for programs. What is derived is written out; baselines are what can be read back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from ncnn_peakmem.history import (
    PEAKS,
    AxisEffect,
    ChangePoint,
    Difference,
    Fold,
    OutcomeChange,
    Series,
    Standing,
)
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.reports.history_report import Gap, HistoryReport

SCHEMA = 1
"""The version of the document.

1. Machine, gauges and releases; cases that are alike, folded. Per case the digests of its models, its
   outcomes by gauge and its figures: a value a release (null where there is none), in bytes net of the floor;
   a phase of null is the whole run. Change points, outcome changes, where overall peaks and all figures
   stand, what option axes change, and what was not measured.
"""

_AXIS_EFFECT: TypeAdapter[AxisEffect] = TypeAdapter(AxisEffect)
_CHANGE: TypeAdapter[ChangePoint] = TypeAdapter(ChangePoint)
_FOLDS: TypeAdapter[tuple[Fold, ...]] = TypeAdapter(tuple[Fold, ...])
_GAPS: TypeAdapter[tuple[Gap, ...]] = TypeAdapter(tuple[Gap, ...])
_MACHINE: TypeAdapter[MachineClass] = TypeAdapter(MachineClass)
_OUTCOME_CHANGES: TypeAdapter[tuple[OutcomeChange, ...]] = TypeAdapter(tuple[OutcomeChange, ...])


def render(report: HistoryReport) -> str:
    """The whole history as JSON."""
    history = report.history
    peaks = [place for by_gauge in report.peak_standings.values() for place in by_gauge.values()]
    document = {
        "schema": SCHEMA,
        "machine": {"id": history.machine.id, **_MACHINE.dump_python(history.machine, mode="json")},
        "gauges": report.gauges,
        "releases": history.versions,
        "folds": _FOLDS.dump_python(report.folds, mode="json"),
        "cases": [_case(report, case) for case in history.cases],
        "change_points": [_change(report, change) for change in report.changes],
        "outcome_changes": _OUTCOME_CHANGES.dump_python(report.outcome_changes, mode="json"),
        "standings": [_standing(place) for place in (*peaks, *report.standings)],
        "axis_effects": [_axis_effect(effect) for effect in report.axis_effects],
        "gaps": _GAPS.dump_python(report.gaps, mode="json"),
    }
    return json.dumps(document, indent=2) + "\n"


def _case(report: HistoryReport, case: str) -> dict[str, Any]:
    peaks = {gauge: report.history.series(case, PEAKS[gauge]) for gauge in report.gauges}
    models = {
        point.release: point.model for series in peaks.values() for point in series.points if point.model
    }
    return {
        "case": case,
        "models": [models.get(release) for release in report.history.versions],
        "outcomes": {gauge: _outcomes(series) for gauge, series in peaks.items()},
        "figures": [_series(series) for series in (*peaks.values(), *report.series[case])],
    }


def _outcomes(series: Series) -> Sequence[str | None]:
    return [None if point.outcome is None else point.outcome.kind for point in series.points]


def _series(series: Series) -> dict[str, Any]:
    return {**_figure(series), "bytes": [point.bytes for point in series.points]}


def _figure(told: Series | ChangePoint | Standing | Difference) -> dict[str, Any]:
    return {"gauge": told.figure.gauge, "phase": told.figure.phase, "metric": told.figure.metric}


def _change(report: HistoryReport, change: ChangePoint) -> dict[str, Any]:
    fields = _CHANGE.dump_python(change, mode="json", exclude={"figure"})
    derived = {"difference": change.difference, "percent": change.percent, "echo": change in report.echoes}
    return {**_figure(change), **fields, **derived}


def _standing(place: Standing) -> dict[str, Any]:
    points = {name: getattr(place, name) for name in ("first", "best", "worst", "today")}
    told = {name: {"release": point.release, "bytes": point.bytes} for name, point in points.items()}
    derived = {"difference": place.difference, "percent": place.percent}
    return {"case": place.case, **_figure(place), **told, **derived}


def _axis_effect(effect: AxisEffect) -> dict[str, Any]:
    fields = _AXIS_EFFECT.dump_python(effect, mode="json", exclude={"least", "most"})
    return {**fields, "least": _difference(effect.least), "most": _difference(effect.most)}


def _difference(difference: Difference | None) -> dict[str, Any] | None:
    if difference is None:
        return None
    cases = {"one": difference.one, "other": difference.other}
    sizes = {"difference": difference.bytes, "percent": difference.percent}
    return {"release": difference.release, **_figure(difference), **cases, **sizes}
