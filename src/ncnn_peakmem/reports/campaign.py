"""docs/campaign.md: false alarms and misses, counted, made from a campaign's data alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ncnn_peakmem.measurement import JUDGED, Gauge
from ncnn_peakmem.reliability.campaign import InjectedCount, Part, Tally, Trial
from ncnn_peakmem.reports import quantity
from ncnn_peakmem.reports.findings.markdown import code, plain, table

_MOST_SHOWN = 20
_HEAD = """\
Two questions of a gate: does it go red when nothing has changed, and does it stay green when something
has? Both are asked here of the gate's own probe and judge, at the tolerances of `models.yaml` for the
same release.
"""
_HOW = """\
A case's **first reading** with a gauge stands for its baseline. Identical probes are later readings of
the same case by the same build, half of them while the campaign keeps the machine busy: a process a CPU
that computes, one that writes 256 MiB of fresh memory over and over, and one that writes and reads 64 MiB
of files. Idle and busy rounds take turns. Growth is injected by a build that wraps ncnn and holds a
buffer from a phase on (from `unload` on: it does not give it back); it is judged against the same build
without the buffer.

A **false alarm** is an identical probe that is not `same` or `improved`. A **miss** is a probe with
injected growth, at or above the stated resolution, that is not `regressed`.
"""
_RESOLUTION = """\
The **stated resolution** of a gauge is twice its tolerance, and 512 B at least. A growth between the
tolerance and that is seen mostly, not surely: malloc may have a part of it at hand.
"""
_DEPLOYED = """\
`deployed` stays green at all that is smaller than its tolerance, and default malloc may hide some MiB
besides: it shows what a device shows, and is no gate against growth of this size. `heap` and `pages` are.
"""
_LIMITS = """\
- Nothing about other machines: their noise may be another. `ncnn-peakmem doctor` measures it there.
- Nothing about tolerances between releases, which are wider: they raise no more alarms, and miss more.
- Nothing about growth that stays below a peak that is reached elsewhere, and is given back before its
  phase ends: it does not raise the memory that a device needs.
"""


def render(tally: Tally, *, data: str, page: str) -> str:
    """The page, as Markdown; `data` and `page` name the files it is made from and written to."""
    lines = [
        "# False alarms and misses",
        "",
        f"Measured by {code(f'ncnn-peakmem campaign {data}')}; this page is made from its data, by",
        f"{code(f'ncnn-peakmem campaign {data} --stored --page {page}')}, and what is edited here is lost.",
        "",
        _HEAD,
        *_answer(tally),
        "## What was done",
        "",
        _HOW,
        *_setting(tally),
        "## False alarms",
        "",
        *_identical(tally),
        *_told("Identical probes that were not `same`", [*tally.false_alarms, *tally.false_gains]),
        "## Misses",
        "",
        *_injected(tally),
        *_told("Growth that was missed", tally.misses),
        "## What this does not tell",
        "",
        _LIMITS,
    ]
    return "\n".join(lines).rstrip() + "\n"


def in_short(tally: Tally) -> str:
    """One line that answers both questions."""
    return (
        f"{tally.probes} identical probes: {quantity.counted(len(tally.false_alarms), 'false alarm')}; "
        f"{tally.due} of {tally.injected} probes with injected growth at or above the stated resolution: "
        f"{len(tally.misses)} missed"
    )


def _answer(tally: Tally) -> Iterator[str]:
    alarms, gains, misses = len(tally.false_alarms), len(tally.false_gains), len(tally.misses)
    yield (
        f"**{tally.probes} identical probes: {quantity.counted(alarms, 'false alarm')}.** "
        f"{gains} were told as improved."
    )
    yield ""
    yield (
        f"**{tally.due} probes with growth at or above the stated resolution: "
        f"{quantity.counted(misses, 'miss') if misses == 1 else f'{misses} misses'}.** "
        f"{tally.injected} were injected in all."
    )
    yield ""


def _setting(tally: Tally) -> Iterator[str]:
    setting = tally.record.setting
    loops = setting.loops
    yield f"- ncnn {setting.ncnn} on {setting.machine.id}, {quantity.counted(setting.cpus, 'CPU')}" + (
        f", Linux {setting.kernel}." if setting.kernel else "."
    )
    for part, told in ((Part.IDENTICAL, "Measured again and again"), (Part.INJECTED, "Growth injected into")):
        cases = list(dict.fromkeys(anchor.case for anchor in tally.anchors(part)))
        yield f"- {told}: {quantity.counted(len(cases), 'case')}: {_cases(cases)}."
    yield (
        "- Load averages are the machine's over a minute, as a probe begins: "
        "they tell of whatever else ran there, too."
    )
    yield f"- At least {loops.minimum} and at most {loops.maximum} inferences a probe."
    for loaded, half in ((False, "idle"), (True, "busy")):
        found = tally.conditions(loaded=loaded)
        if found is not None:
            yield (
                f"- The {half} half: {found.probes} probes, load average {found.typical_load:.1f} (median; "
                f"{found.largest_load:.1f} at most), {found.typical_seconds:.2f} s a probe (median)."
            )
    yield ""


def _cases(cases: Iterable[str]) -> str:
    """The cases by what follows the network's name in their ids."""
    found: dict[str, list[str]] = {}
    for case in cases:
        network, _, rest = case.partition("-")
        found.setdefault(rest, []).append(network)
    by_networks: dict[tuple[str, ...], list[str]] = {}
    for rest, networks in found.items():
        by_networks.setdefault(tuple(networks), []).append(code(rest))
    return "; ".join(f"{' '.join(rests)} of {', '.join(names)}" for names, rests in by_networks.items())


def _identical(tally: Tally) -> Iterator[str]:
    rows = [
        (
            count.gauge,
            str(count.threads),
            "busy" if count.loaded else "idle",
            str(count.probes),
            str(count.figures),
            str(count.moved),
            quantity.size(count.largest) if count.moved else "-",
            "-" if not count.moved else _share(count.share),
            str(count.improved),
            str(count.alarms),
        )
        for count in tally.identical_counts()
    ]
    header = (
        "gauge",
        "threads",
        "machine",
        "probes",
        "figures compared",
        "moved at all",
        "by at most",
        "of the tolerance",
        "improved",
        "false alarms",
    )
    yield from table(header, rows, names=3)
    movements = [
        (
            movement.gauge,
            f"{movement.phase} {movement.metric}",
            str(movement.times),
            str(movement.cases),
            quantity.difference(movement.least),
            quantity.difference(movement.most),
        )
        for movement in tally.movements()
    ]
    if movements:
        yield from ("All figures that moved at all in any identical probe:", "")
        yield from table(("gauge", "figure", "times", "cases", "least", "most"), movements, names=2)


def _share(share: float | None) -> str:
    return "nothing may move" if share is None else f"{100 * share:.0f} %"


def _injected(tally: Tally) -> Iterator[str]:
    yield _RESOLUTION
    rows = [
        (
            gauge,
            " and ".join(JUDGED[gauge]),
            _range(*tally.resolutions(gauge)),
            _seen_from(tally.seen_from(gauge)),
        )
        for gauge in Gauge
        if any(anchor.gauge is gauge for anchor in tally.anchors(Part.INJECTED))
    ]
    yield from table(("gauge", "judges", "stated resolution", "all seen from"), rows, names=2)
    yield "Cells tell how many of the probes went red; a miss is marked with **!**."
    yield ""
    counts = list(tally.injected_counts())
    for gauge in Gauge:
        own = [count for count in counts if count.gauge is gauge]
        if own:
            yield from (f"### {gauge}", "")
            if gauge is Gauge.DEPLOYED:
                yield _DEPLOYED
            yield from _by_size(own)


def _by_size(counts: Sequence[InjectedCount]) -> list[str]:
    """A row a size, a column a phase; the phases of every number of threads apart."""
    columns = list(dict.fromkeys((count.threads, count.phase) for count in counts))
    several = len({threads for threads, _ in columns}) > 1
    cells = {(count.held_bytes, count.threads, count.phase): _cell(count) for count in counts}
    rows = [
        (quantity.size(held), *(cells.get((held, *column), "") for column in columns))
        for held in sorted({count.held_bytes for count in counts})
    ]
    header = ["held", *(f"{phase} t{threads}" if several else str(phase) for threads, phase in columns)]
    return table(header, rows)


def _cell(count: InjectedCount) -> str:
    return f"{count.seen}/{count.probes}" + (" **!**" if count.missed else "")


def _range(least: int, most: int) -> str:
    return quantity.size(least) if least == most else f"{quantity.size(least)} to {quantity.size(most)}"


def _seen_from(held: int | None) -> str:
    return "none of these sizes" if held is None else quantity.size(held)


def _told(title: str, trials: Sequence[Trial]) -> Iterator[str]:
    """The answers that were wrong, one by one; nothing where there is none."""
    if not trials:
        return
    yield from (f"### {title}", "")
    rows = [
        (
            code(trial.case),
            trial.gauge,
            f"{quantity.size(trial.held_bytes)} from {trial.phase} on" if trial.phase else _half(trial),
            trial.verdict,
            plain(_moved(trial)),
        )
        for trial in trials[:_MOST_SHOWN]
    ]
    yield from table(("case", "gauge", "probe", "verdict", "moved"), rows, names=5)
    if len(trials) > _MOST_SHOWN:
        yield from (f"And {len(trials) - _MOST_SHOWN} more, in the data.", "")


def _half(trial: Trial) -> str:
    return f"round {trial.number}, {'busy' if trial.loaded else 'idle'}"


def _moved(trial: Trial) -> str:
    figures = [f"{phase} {metric} {quantity.difference(by)}" for phase, metric, by in trial.differences]
    return ", ".join(figures) or trial.reason or "nothing"
