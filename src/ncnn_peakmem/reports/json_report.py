"""A run as JSON, for programs; what is derived is written out for them, and not read back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter

from ncnn_peakmem.baselines import Change, Overrun, Verdict
from ncnn_peakmem.case import is_id
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import Measurement, MeasurementSet
from ncnn_peakmem.reports.run_report import RunReport

SCHEMA = 2
"""The version of the document.

1. What was compared, counts by verdict, and for each case its verdict, changes, peaks and measurement.
2. A list of such runs, one a build; each case tells the version that it was judged against, and may tell what
   exceeds its budget.
"""

# A case has some 160, one that moved throughout 400: room for 5000 of these.
_MOST_ENTRIES = 2_000_000

_CHANGES: TypeAdapter[tuple[Change, ...]] = TypeAdapter(tuple[Change, ...])
_MACHINE: TypeAdapter[MachineClass] = TypeAdapter(MachineClass)
_MEASUREMENT: TypeAdapter[Measurement] = TypeAdapter(Measurement)
_OVERRUN: TypeAdapter[Overrun] = TypeAdapter(Overrun)
_STALE: TypeAdapter[tuple[str, ...]] = TypeAdapter(tuple[str, ...])
_TEXT: TypeAdapter[str] = TypeAdapter(str)
_VERDICT: TypeAdapter[Verdict] = TypeAdapter(Verdict)


def render(*reports: RunReport) -> str:
    """The runs of one or several builds as JSON."""
    runs = ",\n".join(map(_rendered, reports))
    return f'{{"schema": {SCHEMA}, "runs": [\n{runs}\n]}}\n'


def parse(text: str | bytes) -> tuple[RunReport, ...]:
    """Read what `render` wrote; `ValueError` where the text is something else."""
    try:
        document = json.loads(text, object_pairs_hook=_Entries().taken)
    except RecursionError:
        raise ValueError("nested too deeply for a report") from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ValueError(f"not a report of ncnn-peakmem in schema {SCHEMA}")
    try:
        return tuple(_report(run) for run in document["runs"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"the report lacks {error}") from None


def _rendered(report: RunReport) -> str:
    """A run, a case a line: json's fast encoder knows no indentation."""
    run = _run(report)
    cases = ",\n".join(map(json.dumps, run.pop("cases")))
    head = json.dumps(run, indent=2).removesuffix("\n}")
    return f'{head},\n  "cases": [\n{cases}\n  ]\n}}'


class _Entries:
    """Counts what a document holds, before any of it is validated, which takes many times its size."""

    def __init__(self) -> None:
        self._count = 0

    def taken(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """The pairs as an object; ValueError once there are too many in all."""
        self._count += len(pairs)
        if self._count > _MOST_ENTRIES:
            raise ValueError(f"a report of more than {_MOST_ENTRIES} entries")
        return dict(pairs)


def _run(report: RunReport) -> dict[str, Any]:
    machine = report.measured.machine
    verdicts = {verdict.case: verdict for verdict in report.verdicts}
    measured = report.measured.cases
    names = [*verdicts, *report.unjudged]
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
        "cases": (_case(name, verdicts.get(name), measured.get(name)) for name in names),
    }


def _case(case: str, verdict: Verdict | None, measurement: Measurement | None) -> dict[str, Any]:
    return {
        "case": case,
        "verdict": verdict and verdict.kind,
        "reason": verdict.reason if verdict else "",
        "against": verdict.against if verdict else "",
        "changes": _changes(verdict.changes if verdict else ()),
        "peaks": _changes(verdict.peaks if verdict else ()),
        "overruns": [
            {**_OVERRUN.dump_python(overrun, mode="json"), "excess": overrun.excess}
            for overrun in (verdict.overruns if verdict else ())
        ],
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
    for case in cases:
        if not is_id(_TEXT.validate_python(case["case"])):
            raise ValueError(f"{case['case'][:80]!r} is not the id of a case")
    measured = {
        case["case"]: _MEASUREMENT.validate_python(case["measurement"])
        for case in cases
        if case["measurement"]
    }
    for name, measurement in measured.items():
        if measurement.case != name:
            raise ValueError(f"{name!r} has the measurement of another case")
    return RunReport(
        measured=MeasurementSet(
            ncnn=_TEXT.validate_python(document["ncnn"]),
            machine=_MACHINE.validate_python(document["machine"]),
            cases=measured,
        ),
        verdicts=tuple(_verdict(case) for case in cases if case["verdict"]),
        title=_TEXT.validate_python(document["title"]),
        digest=_TEXT.validate_python(document["digest"]),
        baseline_note=_TEXT.validate_python(baseline["note"]),
        baseline_file=_TEXT.validate_python(baseline["file"]),
        models_file=_TEXT.validate_python(document["models_file"]),
        stale=_STALE.validate_python(document["stale"]),
    )


def _verdict(case: Mapping[str, Any]) -> Verdict:
    return _VERDICT.validate_python({**case, "kind": case["verdict"]})
