"""docs/campaign.md: false alarms and misses, counted, made from a campaign's data alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ncnn_peakmem.measurement import JUDGED, Gauge
from ncnn_peakmem.network import Loops
from ncnn_peakmem.reliability.campaign import GaugeCount, InjectedCount, Part, Tally, Trial
from ncnn_peakmem.reports import quantity
from ncnn_peakmem.reports.markdown_pieces import code, plain, table

_MOST_SHOWN = 20
_HEAD = """\
Two questions of a gate: does it go red when nothing has changed, and does it stay green when something
has? Both are asked here of the gate's own probe and judge, at the tolerances of `models.yaml` for the
same release.
"""
_HOW = """\
A case's **first reading** with a gauge stands for its baseline. Identical probes are later readings of
the same case by the same build, {busy} of {probes} while the campaign **kept** the machine **busy**: a
process a CPU that computes, one that writes 256 MiB of fresh memory over and over, and one that writes and
reads 64 MiB of files. In the others it was **left alone** by the campaign, though by nothing else that ran
there. Rounds take turns, and those left alone follow the busy ones at once. Growth is injected by a build
that wraps ncnn and holds a buffer from a phase on (from `unload` on: it does not give it back); it is
judged against the same build without the buffer.

A **false alarm** is an identical probe that is not `same` or `improved`. A **miss** is a probe with
injected growth, at or above the stated resolution, that is not `regressed` by a figure of the phase that
the growth was put in.
"""
_BOUND = """\
**At most, at 95 %** is 3/N, where N probes had nothing wrong (the rule of three): if more than this share
of such probes went wrong, N in a row without one would be met in less than 5 of 100 campaigns. It holds for
probes like these, on a machine like this; N counts probes, of which those of one case are much alike.
"""
_RESOLUTION = """\
The **stated resolution** of a gauge is twice its tolerance, and 512 B at least; its tolerance is that of the
figure that may move most. A growth between the
tolerance and that is seen mostly, not surely: malloc may have a part of it at hand.
"""
_DEPLOYED = """\
`deployed` stays green at all that is smaller than its tolerance, and default malloc may hide some MiB
besides: it shows what a device shows, and is no gate against growth of this size. `heap` and `pages` are.
"""
_LIMITS = """\
- Nothing about long runs: a probe here runs {loops.minimum} to {loops.maximum} inferences, one of the gate
  {usual.minimum} at least and up to {usual.maximum}. What ncnn's pools do later is no alarm and no miss here.
- Nothing about baselines of another day: a first reading is of the same machine as what is judged by it and,
  but for a campaign that was interrupted, of the same boot and day.
- Nothing about growth on a busy machine: it was injected only while the machine was left alone, and in one
  probe a case with each gauge, phase and size.
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
        _HOW.format(busy=_busy(tally), probes=tally.probes),
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
        _LIMITS.format(loops=tally.record.setting.loops, usual=Loops()),
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
    counts = list(tally.gauge_counts())
    yield "By gauge: " + ", ".join(f"{one.gauge} {one.alarms} of {one.identical}" for one in counts) + "."
    yield ""
    yield (
        f"**{tally.due} probes with growth at or above the stated resolution: "
        f"{quantity.counted(misses, 'miss') if misses == 1 else f'{misses} misses'}.** "
        f"{tally.injected} were injected in all."
    )
    yield "By gauge: " + ", ".join(f"{one.gauge} {one.missed} of {one.due}" for one in counts) + "."
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
        "- Load averages are the machine's over a minute, as a probe begins: they tell of whatever else ran "
        "there, too, and those of a round left alone still have the campaign's own load of the round before."
    )
    yield f"- At least {loops.minimum} and at most {loops.maximum} inferences a probe."
    for loaded in (False, True):
        found = tally.conditions(loaded=loaded)
        if found is not None:
            yield (
                f"- {_half(loaded=loaded).capitalize()}: {quantity.counted(found.probes, 'probe')}, "
                f"load average {found.typical_load:.1f} (median; {found.largest_load:.1f} at most), "
                f"{found.typical_seconds:.2f} s a probe (median)."
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


def _busy(tally: Tally) -> int:
    found = tally.conditions(loaded=True)
    return found.probes if found is not None else 0


def _half(*, loaded: bool) -> str:
    return "kept busy" if loaded else "left alone"


def _at_most(wrong: int, probes: int) -> str:
    """The share that may still go wrong where none of so many probes did, by the rule of three."""
    return "-" if wrong or not probes else f"{min(100, 300 / probes):.2g} %"


def _identical(tally: Tally) -> Iterator[str]:
    yield _BOUND
    yield from table(
        ("gauge", "N", "false alarms", "at most, at 95 %"),
        [
            (one.gauge, str(one.identical), str(one.alarms), _at_most(one.alarms, one.identical))
            for one in tally.gauge_counts()
            if one.identical
        ],
    )
    rows = [
        (
            count.gauge,
            str(count.threads),
            _half(loaded=count.loaded),
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
    counted = {one.gauge: one for one in tally.gauge_counts()}
    rows = [
        (
            gauge,
            " and ".join(JUDGED[gauge]),
            _range(*tally.resolutions(gauge)),
            _seen_from(tally.seen_from(gauge)),
            *_missed(counted.get(gauge)),
        )
        for gauge in Gauge
        if any(anchor.gauge is gauge for anchor in tally.anchors(Part.INJECTED))
    ]
    header = ("gauge", "judges", "stated resolution", "all seen from", "N", "misses", "at most, at 95 %")
    yield from table(header, rows, names=2)
    yield "N are the probes with growth at or above the stated resolution. Cells tell how many of the probes"
    yield "went red in the phase that growth was put in, one probe a case; a miss is marked with **!**."
    yield ""
    counts = list(tally.injected_counts())
    for gauge in Gauge:
        own = [count for count in counts if count.gauge is gauge]
        if own:
            yield from (f"### {gauge}", "")
            if gauge is Gauge.DEPLOYED:
                yield _DEPLOYED
            yield from _by_size(own)


def _missed(count: GaugeCount | None) -> tuple[str, str, str]:
    if count is None:
        return "0", "0", "-"
    return str(count.due), str(count.missed), _at_most(count.missed, count.due)


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
            f"{quantity.size(trial.held_bytes)} from {trial.phase} on" if trial.phase else _round(trial),
            trial.verdict,
            plain(_moved(trial)),
        )
        for trial in trials[:_MOST_SHOWN]
    ]
    yield from table(("case", "gauge", "probe", "verdict", "moved"), rows, names=5)
    if len(trials) > _MOST_SHOWN:
        yield from (f"And {len(trials) - _MOST_SHOWN} more, in the data.", "")


def _round(trial: Trial) -> str:
    return f"round {trial.number}, {_half(loaded=trial.loaded)}"


def _moved(trial: Trial) -> str:
    figures = [f"{phase} {metric} {quantity.difference(by)}" for phase, metric, by in trial.differences]
    return ", ".join(figures) or trial.reason or "nothing"
