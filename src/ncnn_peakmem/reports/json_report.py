"""A run as JSON, for programs; what is derived is written out for them, and not read back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter

from ncnn_peakmem.baselines import Change, Verdict
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import Measurement, MeasurementSet
from ncnn_peakmem.reports.run_report import RunReport

SCHEMA = 2
"""The version of the document.

1. What was compared, counts by verdict, and for each case its verdict, changes, peaks and measurement.
2. A list of such runs, one a build; each case tells the version that it was judged against.
"""

_CHANGES: TypeAdapter[tuple[Change, ...]] = TypeAdapter(tuple[Change, ...])
_MACHINE: TypeAdapter[MachineClass] = TypeAdapter(MachineClass)
_MEASUREMENT: TypeAdapter[Measurement] = TypeAdapter(Measurement)
_STALE: TypeAdapter[tuple[str, ...]] = TypeAdapter(tuple[str, ...])
_VERDICT: TypeAdapter[Verdict] = TypeAdapter(Verdict)


def render(*reports: RunReport) -> str:
    """The runs of one or several builds as JSON."""
    return json.dumps({"schema": SCHEMA, "runs": [_run(report) for report in reports]}, indent=2) + "\n"


def parse(text: str | bytes) -> tuple[RunReport, ...]:
    """Read what `render` wrote; `ValueError` where the text is something else."""
    document = json.loads(text)
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ValueError(f"not a report of ncnn-peakmem in schema {SCHEMA}")
    try:
        return tuple(_report(run) for run in document["runs"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"the report lacks {error}") from None


def _run(report: RunReport) -> dict[str, Any]:
    machine = report.measured.machine
    verdicts = {verdict.case: verdict for verdict in report.verdicts}
    measured = report.measured.cases
    return {
        "ncnn": report.measured.ncnn,
        "title": report.title,
        "digest": report.digest,
        "machine": {"id": machine.id, **_MACHINE.dump_python(machine, mode="json")},
        "baseline": {"note": report.baseline_note, "file": report.baseline_file},
        "models_file": report.models_file,
        "stale": report.stale,
        "accepted": report.accepted,
        "counts": report.counts,
        "cases": [
            _case(case, verdicts.get(case), measured.get(case)) for case in [*verdicts, *report.unjudged]
        ],
    }


def _case(case: str, verdict: Verdict | None, measurement: Measurement | None) -> dict[str, Any]:
    return {
        "case": case,
        "verdict": verdict and verdict.kind,
        "reason": verdict.reason if verdict else "",
        "against": verdict.against if verdict else "",
        "changes": _changes(verdict.changes if verdict else ()),
        "peaks": _changes(verdict.peaks if verdict else ()),
        "measurement": measurement and _MEASUREMENT.dump_python(measurement, mode="json"),
    }


def _changes(changes: Iterable[Change]) -> list[dict[str, Any]]:
    fields = _CHANGES.dump_python(tuple(changes), mode="json")
    return [
        {**field, "difference": change.difference, "percent": change.percent}
        for field, change in zip(fields, changes, strict=True)
    ]


def _report(document: Mapping[str, Any]) -> RunReport:
    cases, baseline = document["cases"], document["baseline"]
    measured = (_MEASUREMENT.validate_python(case["measurement"]) for case in cases if case["measurement"])
    return RunReport(
        measured=MeasurementSet(
            ncnn=document["ncnn"],
            machine=_MACHINE.validate_python(document["machine"]),
            cases={measurement.case: measurement for measurement in measured},
        ),
        verdicts=tuple(_verdict(case) for case in cases if case["verdict"]),
        title=document["title"],
        digest=document["digest"],
        baseline_note=baseline["note"],
        baseline_file=baseline["file"],
        models_file=document["models_file"],
        stale=_STALE.validate_python(document["stale"]),
    )


def _verdict(case: Mapping[str, Any]) -> Verdict:
    return _VERDICT.validate_python({**case, "kind": case["verdict"]})
