"""A run as GitHub-flavoured markdown, for a job summary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ncnn_peakmem.baselines import VerdictKind
from ncnn_peakmem.reports import overrun, quantity
from ncnn_peakmem.reports.group import grouped
from ncnn_peakmem.reports.markdown_pieces import plain
from ncnn_peakmem.reports.row import Row, report_rows
from ncnn_peakmem.reports.run_report import RunReport

# GitHub takes 1 MiB a step and drops the whole summary beyond; other tools of the step write there as well.
LIMIT_BYTES = 512 * 1024

_HEADER = (
    "| verdict | case | gauge | measured | baseline | change | | phase |",
    "| --- | --- | --- | ---: | ---: | ---: | ---: | --- |",
)
_FRAME_BYTES = 2048


def render(report: RunReport, *, worst: int = 20, limit: int = LIMIT_BYTES) -> str:
    """The summary: at most `worst` rows of what moved in sight, all others folded, cut at `limit` bytes."""
    told = report_rows(report)
    head, notes = _head(report), _notes(report, worst)
    fitting = _fitting(told, limit - _FRAME_BYTES - len("\n".join([*head, *notes]).encode()))
    in_sight = min(worst, sum(row.kind is not VerdictKind.SAME for row in told))
    seen, folded = fitting[:in_sight], fitting[in_sight:]
    parts = [*head, *_table(seen), *notes, *_folded(folded)]
    if left_out := len(told) - len(fitting):
        parts += [f"{quantity.counted(left_out, 'row')} left out, for GitHub takes no summary so large.", ""]
    return "\n".join(parts)


def _head(report: RunReport) -> list[str]:
    told = f"no action needed, {report.headline}" if report.calm else report.headline
    return [f"## ncnn-peakmem: {told}", "", plain(report.comparison), ""]


def _notes(report: RunReport, most: int) -> list[str]:
    """All that is not in the table: budgets exceeded, reasons, stale baselines, caveats."""
    reasons = [f"{_list(cases, 3)}: {plain(reason)}" for reason, cases in report.reasons.items()]
    over = [
        f"over budget: <code>{plain(group.title)}</code>: {plain(overrun.in_words(found))}"
        for group in grouped(report.over_budget, report)
        for found in group.verdicts[0].overruns
    ]
    notes = over[:most]
    if len(over) > most:
        notes.append(f"and {quantity.counted(len(over) - most, 'more figure')} over budget")
    notes += reasons[:most]
    if len(reasons) > most:
        notes.append(f"and {quantity.counted(len(reasons) - most, 'more reason')}")
    if report.stale:
        notes.append(f"no longer in {plain(report.models_file)}: {_list(report.stale, most)}")
    notes += [
        f"{plain(caveat.advice)} ({quantity.counted(count, 'case')})"
        for caveat, count in report.caveats.items()
    ]
    return [*(f"- {note}" for note in notes), ""] if notes else []


def _list(cases: Sequence[str], most: int) -> str:
    named = ", ".join(f"<code>{plain(case)}</code>" for case in cases[:most])
    return named if len(cases) <= most else f"{named} and {len(cases) - most} more"


def _folded(lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    summary = f"<details><summary>{quantity.counted(len(lines), 'more row')}</summary>"
    return [summary, "", *_table(lines), "</details>", ""]


def _table(lines: Sequence[str]) -> list[str]:
    return [*_HEADER, *lines, ""] if lines else []


def _fitting(told: Iterable[Row], room: int) -> list[str]:
    """The rows as lines, as many from the first on as there is room for."""
    lines: list[str] = []
    for row in told:
        cells = (row.gauge, row.measured, row.baseline, row.change, row.percent, row.phase)
        name = f"| {row.kind} | <code>{plain(row.case)}</code> |"
        line = f"{name} {' | '.join(plain(cell) for cell in cells)} |"
        room -= len(line.encode()) + 1
        if room < 0:
            break
        lines.append(line)
    return lines
