"""Why one case is red: a handful of lines in place of a traceback."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import groupby

from ncnn_peakmem.baselines import Change, Verdict, VerdictKind
from ncnn_peakmem.measurement import Caveat, Gauge, Phase
from ncnn_peakmem.reports import overrun, quantity
from ncnn_peakmem.reports.run_report import comparison


def explain(
    verdict: Verdict,
    *,
    measured_version: str,
    machine_id: str,
    command: str,
    baseline_note: str = "",
    where: Sequence[str] = (),
    caveats: Collection[Caveat] = (),
    models_file: str = "models.yaml",
) -> str:
    """The message of a test; `command`, if there is one, is what to run where the new figures are right."""
    compared = comparison(measured_version, verdict.against, machine_id, baseline_note)
    lines = [f"{verdict.case}   {_headline(verdict)}", f"  {compared}"]
    for gauge in Gauge:
        lines.extend(_labelled(gauge, _movements(verdict.only(gauge).changes)))
    over = [overrun.in_words(found) for found in verdict.overruns]
    lines.extend(_labelled("budget", over[1:] if _leads_with_budget(verdict) else over))
    lines.extend(_labelled("where", where))
    notes = _notes(verdict)
    if notes or caveats:
        lines.extend(_labelled("note", ["; ".join([*notes, *(caveat.advice for caveat in caveats)])]))
    if over:
        lines.extend(_labelled("advice", [overrun.remedy(verdict.case, models_file)]))
    if command and verdict.kind is not VerdictKind.SAME:
        lines.extend(_labelled("accept", [command]))
    return "\n".join(lines)


def _notes(verdict: Verdict) -> list[str]:
    """What the headline does not tell in words."""
    if verdict.kind is VerdictKind.NEW and _leads_with_budget(verdict):
        return [_kind(verdict)]
    return [verdict.reason] if verdict.reason and _leads_with_figures(verdict) else []


def _leads_with_budget(verdict: Verdict) -> bool:
    """Whether the budget is the gravest of what there is to tell."""
    return bool(verdict.overruns) and verdict.kind.severity <= VerdictKind.NEW.severity


def _leads_with_figures(verdict: Verdict) -> bool:
    return verdict.kind not in {VerdictKind.NEW, VerdictKind.BROKEN} and verdict.headline is not None


def _headline(verdict: Verdict) -> str:
    if _leads_with_budget(verdict):
        return overrun.in_words(verdict.overruns[0])
    figure = verdict.headline
    if figure is None or not _leads_with_figures(verdict):
        return _kind(verdict)
    net = "" if figure.gauge is Gauge.HEAP else " net"
    name = f"{figure.gauge} {figure.metric}{net}"
    if figure not in verdict.peaks:
        name = f"{name} in {figure.phase}"
    return (
        f"{name} {quantity.size(figure.measured)}, baseline {quantity.size(figure.baseline)}: "
        f"{quantity.difference(figure.difference)} ({quantity.percent(figure.percent)}), "
        f"tolerance {quantity.size(figure.tolerance)}"
    )


def _kind(verdict: Verdict) -> str:
    return f"{verdict.kind}: {verdict.reason}" if verdict.reason else verdict.kind


def _movements(changes: Sequence[Change]) -> list[str]:
    """One line of what moved in which phase; phases that moved alike share their figures."""
    if not changes:
        return []
    phases: list[tuple[Phase, str]] = []
    for phase, moved in groupby(changes, key=lambda change: change.phase):
        phases.append((phase, ", ".join(_movement(change) for change in moved)))
    alike = groupby(phases, key=lambda told: told[1])
    return ["   ".join(f"{'/'.join(phase for phase, _ in group)} {told}" for told, group in alike)]


def _movement(change: Change) -> str:
    return f"{change.metric} {quantity.difference(change.difference)}"


def _labelled(label: str, texts: Iterable[str]) -> list[str]:
    return [f"  {'' if index else label:<9}{text}" for index, text in enumerate(texts)]
