"""The page as a whole: docs/findings.md and its charts, made from a stored history alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from packaging.version import Version

from ncnn_peakmem.baselines import in_words
from ncnn_peakmem.case import network_of, threads_of
from ncnn_peakmem.history import Cause, Fold
from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.reports import quantity
from ncnn_peakmem.reports.findings.changes import changes
from ncnn_peakmem.reports.findings.options import options
from ncnn_peakmem.reports.findings.standing import standings
from ncnn_peakmem.reports.findings.summary import summary
from ncnn_peakmem.reports.history_chart import chart
from ncnn_peakmem.reports.history_report import HistoryReport
from ncnn_peakmem.reports.markdown_pieces import code, plain, table

COMMAND = "ncnn-peakmem history --stored --findings docs/findings.md"
_PULLS = "https://github.com/Tencent/ncnn/pull"
_STANDINGS = """\
The overall peak, with its release. Cases of which all figures on all releases are the same to the byte share
a row: `*` stands for any label. A trend runs from the smallest figure of its row to the largest. Of releases
that are equally good, or bad, the first is named.
"""
_CHANGES = """\
What left its level, the largest first. The figures are of the heap: its peak while the model is loaded, what
is live afterwards, the peak of the first inference and that of looped inference. Cases that moved by the same
bytes share a row. Numbers are ncnn's pull requests; `±` stands where what is known would explain the opposite
as well, and `?` where no cause is known.
"""
_OPTIONS = """\
Pairs of cases of one model that differ in one label: all figures, on all releases. They count as different
where they are so by more than the gauge's noise, and the heap has none.
"""
_READS = {
    Gauge.HEAP: "live bytes that ncnn asked for, exact",
    Gauge.PAGES: "the process under page-granular malloc",
    Gauge.DEPLOYED: "the process under default malloc",
}


def render(report: HistoryReport, causes: Sequence[Cause], *, chart_folder: str = "findings") -> str:
    """The page, as Markdown; `chart_folder` is where `charts` are kept, as the page sees it."""
    history = report.history
    source = code(f"baselines/{history.machine.id}/")
    lines = [
        "# Findings: the peak memory of ncnn, release by release",
        "",
        f"Made by {code(COMMAND)} from {source}.",
        "Every figure comes from there, and what is edited here is lost.",
        "",
        "## In short",
        "",
        *summary(report, causes),
        "## What was measured",
        "",
        *_measured(report),
        "## Where each network stands",
        "",
        _STANDINGS,
        *standings(report, chart_folder),
        "## What changed, release by release",
        "",
        _CHANGES,
        *changes(report, causes),
        *_not_seen(report, causes),
        "## What the options change",
        "",
        _OPTIONS,
        *options(report),
        *_ends(report),
    ]
    return "\n".join([*lines, *_references(lines)]).rstrip() + "\n"


def charts(report: HistoryReport) -> dict[str, str]:
    """The SVG of every network, by the name of its file."""
    if Gauge.HEAP not in report.gauges:
        return {}
    return {f"{network}.svg": chart(report, network) for network in report.networks}


def _measured(report: HistoryReport) -> Iterator[str]:
    history, machine = report.history, report.history.machine
    isa = ", ".join(machine.isa) or "base"
    yield f"- {quantity.counted(len(history.releases), 'release')} of ncnn: {', '.join(history.versions)}."
    cases = quantity.counted(len(history.cases), "case")
    networks = quantity.counted(len(report.networks), "network")
    yield f"- {cases} of {networks}: {', '.join(report.networks)}."
    yield (
        f"- One machine class: {machine.system} on {machine.architecture} ({isa}), "
        f"{quantity.size(machine.l2_bytes_per_core)} of level-2 cache per core, "
        f"{quantity.counted(machine.physical_cores, 'core')}, pages of {quantity.size(machine.page_bytes)}, "
        f"{machine.libc}."
    )
    for gauge in report.gauges:
        limits = _limits(report, gauge)
        yield f"- Gauge {code(gauge)}: {_READS[gauge]}. A figure has changed where it moves {limits}."
    yield "- Figures are net of the floor, which is what the process holds once ncnn is imported."
    yield "- How they come about, and how far they can be trusted: [measuring.md](measuring.md)."
    yield ""


def _limits(report: HistoryReport, gauge: Gauge) -> str:
    """How far a figure may move, for most cases and for those with a tolerance of their own."""
    own: dict[str, list[str]] = {}
    for case in report.history.cases:
        tolerance = report.tolerances(case)[gauge].between_releases
        told = f"{quantity.size(tolerance.absolute)} or {100 * tolerance.relative:g} %"
        own.setdefault(told, []).append(case)
    (most, _), *others = sorted(own.items(), key=lambda item: -len(item[1]))
    exceptions = "".join(f"; of {', '.join(_of_whom(report, cases))}: {told}" for told, cases in others)
    return f"by more than {most} of its level, whichever is larger{exceptions}"


def _of_whom(report: HistoryReport, cases: Sequence[str]) -> Iterator[str]:
    """The networks of cases that share a tolerance, which may be theirs with one thread or with several."""
    every = {(network_of(case), threads_of(case) > 1) for case in report.history.cases}
    held = {(network_of(case), threads_of(case) > 1) for case in cases}
    for network in dict.fromkeys(map(network_of, cases)):
        several = (network, True) in held
        if {found for found in every if found[0] == network} <= held:
            yield network
        else:
            yield f"{network} with {'several threads' if several else 'one thread'}"


def _not_seen(report: HistoryReport, causes: Sequence[Cause]) -> Iterator[str]:
    """Causes that came between the releases measured here, but explain nothing that these cases did."""
    first, last = (Version(report.history.versions[place]) for place in (0, -1))
    unseen = [
        cause
        for cause in causes
        if first < Version(cause.release) <= last
        and not any(cause.explains(change) for change in report.changes)
    ]
    if unseen:
        yield from ("### Known, but not seen in these cases", "")
        for cause in unseen:
            pulls = " ".join(f"[#{pull}]" for pull in cause.pulls)
            yield f"- {cause.release} {pulls}: {cause.told}"
        yield ""


def _ends(report: HistoryReport) -> Iterator[str]:
    """Outcomes, and what there is no figure of; nothing where all is well."""
    rows = [
        (
            code(end.fold.pattern),
            end.release,
            "/".join(end.gauges),
            plain(in_words(end.before)),
            plain(in_words(end.after)),
        )
        for end in report.outcome_movements
    ]
    if rows or report.failing:
        yield from ("## How probes ended", "")
    if rows:
        yield from table(("case", "from release", "gauges", "before", "after"), rows, names=5)
    for fold, outcome in report.failing:
        yield f"- {code(fold.pattern)} {plain(in_words(outcome))}, when it was last measured."
    yield from [""] if report.failing else []
    lacks = [*_lacks(report)]
    if lacks:
        yield from ("## Not measured, or not compared", "", *lacks, "")


def _lacks(report: HistoryReport) -> Iterator[str]:
    for release, folds in report.other_models.items():
        yield f"- From {release} on another model of {_named(folds)}: its figures start anew there."
    for gap in report.gaps:
        gauges = " and ".join(map(code, gap.gauges))
        yield f"- On {', '.join(gap.releases)} with {gauges}: {_named(gap.folds)}."


def _named(folds: Sequence[Fold]) -> str:
    return ", ".join(code(fold.pattern) for fold in folds)


def _references(lines: Iterable[str]) -> Iterator[str]:
    """Where the pull requests that the page names are to be found."""
    named = {int(number) for line in lines for number in re.findall(r"\[#(\d+)\]", line)}
    yield from (f"[#{pull}]: {_PULLS}/{pull}" for pull in sorted(named))
