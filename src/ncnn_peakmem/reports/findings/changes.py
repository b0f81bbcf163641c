"""What changed, release by release: a row a movement of the heap, with the causes that are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from ncnn_peakmem.history import Cause, ChangePoint, Evidence, Figure, Movement, causes_of, evidence_of
from ncnn_peakmem.measurement import Gauge, Metric, Phase
from ncnn_peakmem.reports import quantity
from ncnn_peakmem.reports.figure_name import in_short
from ncnn_peakmem.reports.history_report import HistoryReport
from ncnn_peakmem.reports.markdown_pieces import code, folded, table

_COLUMNS = {
    "load peak": Figure(Gauge.HEAP, Phase.LOAD_MODEL, Metric.PEAK),
    "live after load": Figure(Gauge.HEAP, Phase.LOAD_MODEL, Metric.LIVE),
    "first peak": Figure(Gauge.HEAP, Phase.FIRST, Metric.PEAK),
    "looped peak": Figure(Gauge.HEAP, Phase.STEADY, Metric.PEAK),
}
_UNKNOWN = "?"
_EITHER_WAY = "±"
EVIDENCE: Mapping[Evidence | None, str] = {
    Evidence.BISECTED: "bisected",
    Evidence.READ: "read in its source",
    Evidence.MEASURED: "measured apart from this history",
    Evidence.LIKELY: "likely",
    Evidence.EITHER_WAY: "fits either way",
    None: "not known",
}
"""The evidence for a cause in words, the surest first; None where there is none."""


def changes(report: HistoryReport, causes: Sequence[Cause]) -> Iterator[str]:
    """A section a release; releases that changed nothing are named in one line at the end."""
    by_release = groupby(report.movements, key=lambda movement: movement.release)
    told = {release: tuple(found) for release, found in by_release}
    for release, found in told.items():
        yield from _release(report, release, found, causes)
    calm = [release for release in report.history.versions[1:] if release not in told]
    if calm:
        yield from (f"No figure left its level on {', '.join(calm)}.", "")


def _release(
    report: HistoryReport, release: str, movements: Sequence[Movement], causes: Sequence[Cause]
) -> Iterator[str]:
    yield from (f"### {release}", "")
    heap = [movement for movement in movements if movement.gauge is Gauge.HEAP]
    yield from _causes([change for movement in movements for change in movement.changes], causes)
    if heap:
        rows = [_row(movement, causes) for movement in heap]
        yield from table(("case", *_COLUMNS), rows)
    if echoes := report.echoes_by_release.get(release):
        yield from (f"{quantity.counted(echoes, 'figure')} of the process moved along with the heap.", "")
    for gauge in report.gauges:
        others = [movement for movement in movements if movement.gauge is gauge is not Gauge.HEAP]
        if others:
            yield from _of_the_process(gauge, others, causes)


def _row(movement: Movement, causes: Sequence[Cause]) -> tuple[str, ...]:
    cells = [_cell(movement.at(figure), causes) for figure in _COLUMNS.values()]
    if not any(cells):
        cells[0] = f"{in_short(movement.figures)}: {_cell(movement.strands[0], causes)}"
    return code(movement.fold.pattern), *cells


def _cell(alike: Sequence[ChangePoint], causes: Sequence[Cause]) -> str:
    if not alike:
        return ""
    size = quantity.difference(alike[0].difference)
    crept = " bit by bit" if alike[0].crept else ""
    return f"{size} ({quantity.percents(change.percent for change in alike)}){crept} {_marks(alike, causes)}"


def _marks(alike: Sequence[ChangePoint], causes: Sequence[Cause]) -> str:
    """The pull requests that explain any of the changes, and signs where one fits either way, or has none."""
    known = [causes_of(change, causes) for change in alike]
    pulls = dict.fromkeys(pull for found in known for cause in found for pull in cause.pulls)
    evidence = {evidence_of(change, causes) for change in alike}
    signs = {Evidence.EITHER_WAY: _EITHER_WAY, None: _UNKNOWN}
    told = (sign for kind, sign in signs.items() if kind in evidence)
    return " ".join([*(f"[#{pull}]" for pull in pulls), *told])


def _causes(found: Sequence[ChangePoint], causes: Sequence[Cause]) -> Iterator[str]:
    """What is known of why, with how much of the release each cause explains, and how much none does."""
    for cause in causes:
        explained = sum(cause.explains(change) for change in found)
        if explained:
            sure = "Possible" if cause.evidence is Evidence.EITHER_WAY else "Known"
            title = " ".join([f"**{sure} cause**", *(f"[#{pull}]" for pull in cause.pulls)])
            count = quantity.counted(explained, "figure")
            yield f"- {title} ({EVIDENCE[cause.evidence]}; {count}): {cause.told}"
    evidence = [evidence_of(change, causes) for change in found]
    if undecided := evidence.count(Evidence.EITHER_WAY):
        yield f"- **Fits either way**: {quantity.counted(undecided, 'figure')}, marked `{_EITHER_WAY}`."
    if unknown := evidence.count(None):
        yield f"- **Cause not known to us**: {quantity.counted(unknown, 'figure')}, marked `{_UNKNOWN}`."
    yield ""


def _of_the_process(gauge: Gauge, movements: Sequence[Movement], causes: Sequence[Cause]) -> Iterator[str]:
    """How the process moved otherwise than the heap: in a line, and folded what of it is not explained."""
    found = [change for movement in movements for change in movement.changes]
    cases = quantity.counted(len({change.case for change in found}), "case")
    reach = quantity.differences([change.difference for change in found])
    count = quantity.counted(len(found), "figure")
    unknown = sum(not causes_of(change, causes) for change in found)
    told = f"{code(gauge)}, otherwise than the heap: {count} of {cases} moved, {reach}"
    if not unknown:
        yield from (f"{told}; explained above.", "")
        return
    yield from (f"{told}.", "")
    rows = [
        (
            code(movement.fold.pattern),
            in_short(dict.fromkeys(change.figure for change in left)),
            _cell(left, ()),
        )
        for movement in movements
        for strand in movement.strands
        if (left := [change for change in strand if not causes_of(change, causes)])
    ]
    summary = f"{quantity.counted(unknown, 'figure')} of <code>{gauge}</code> without a known cause"
    yield from folded(summary, table(("case", "figures", "change"), rows, names=2))
