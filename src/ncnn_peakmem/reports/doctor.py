"""A diagnosis for people, on about one screen, and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import TypeAdapter
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.reliability.diagnosis import Diagnosis
from ncnn_peakmem.reliability.finding import Finding, State
from ncnn_peakmem.reliability.resolution import GROWN_PHASES, LARGEST, Resolution
from ncnn_peakmem.reports import quantity

SCHEMA = 1
"""The version of the JSON document."""

_STYLES = {State.OK: "green", State.NOTE: "cyan", State.DEGRADED: "yellow", State.BROKEN: "red"}
_DIAGNOSIS: TypeAdapter[Diagnosis] = TypeAdapter(Diagnosis)


def render(diagnosis: Diagnosis) -> RenderableType:
    """Controls, the machine class, noise, resolution, cost, and what they come to."""
    parts: list[RenderableType] = [
        Text.assemble("ncnn ", (diagnosis.ncnn, "bold"), " on"),
        Text(diagnosis.machine.id, style="bold"),
        _section("Controls", "asked of a real child"),
        _findings(diagnosis),
        _section("Machine class", "each part, and where it was read"),
        _facts(diagnosis),
        _section("Noise", f"{diagnosis.repeats} identical probes, net of the floor, where they differ most"),
        _noise(diagnosis),
        _section("Resolution", "the smallest buffer of those tried that turns the gate red, if held from"),
        _resolution(diagnosis),
    ]
    if diagnosis.costs:
        parts += [_section("Cost", "a probe beside a plain script with as many loops"), _costs(diagnosis)]
    return Group(*parts, Text(), *_conclusion(diagnosis))


def to_json(diagnosis: Diagnosis) -> str:
    """The diagnosis for programs; sizes in bytes, times in seconds."""
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "trusted": diagnosis.trusted,
        "state": diagnosis.state,
        "machine_class": diagnosis.machine.id,
        **json.loads(_DIAGNOSIS.dump_json(diagnosis)),
    }
    for entry, spread in zip(document["spreads"], diagnosis.spreads, strict=True):
        entry["state"] = spread.state
    for entry, resolution in zip(document["resolutions"], diagnosis.resolutions, strict=True):
        entry["state"] = resolution.state
    for entry, cost in zip(document["costs"], diagnosis.costs, strict=True):
        entry["ratio"] = round(cost.ratio, 3)
    return json.dumps(document, indent=2) + "\n"


def _section(title: str, explained: str) -> Text:
    return Text.assemble("\n", (title, "bold"), (f"  {explained}", "dim"))


def _state(state: State) -> Text:
    return Text(state, style=_STYLES[state])


def _plain_table(columns: int) -> Table:
    """A table without a head, set in."""
    table = Table.grid(padding=(0, 2))
    table.add_column()
    for _ in range(columns - 1):
        table.add_column(no_wrap=True)
    table.add_column()
    return table


def _figures(*headers: str) -> Table:
    """A table of names (a state, then two columns) and figures, set in."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for place, header in enumerate(("", "", *headers)):
        table.add_column(header, justify="left" if place < 4 else "right", no_wrap=True)
    return table


def _findings(diagnosis: Diagnosis) -> RenderableType:
    table = _plain_table(3)
    for finding in diagnosis.findings:
        table.add_row("", _state(finding.state), finding.name, _told(finding))
    return table


def _told(finding: Finding) -> Text:
    told = Text(finding.found)
    if finding.meaning:
        told.append(f"\n{finding.meaning}")
    if finding.advice:
        told.append(f"\nto do: {finding.advice}", "bold" if not finding.state.trusted else "dim")
    return told


def _facts(diagnosis: Diagnosis) -> RenderableType:
    table = _plain_table(3)
    for fact in diagnosis.facts:
        table.add_row("", fact.part, fact.value, Text(fact.source, style="dim"))
    return table


def _noise(diagnosis: Diagnosis) -> RenderableType:
    threads = sorted({spread.threads for spread in diagnosis.spreads})
    headers = [(quantity.counted(count, "thread"), "spread", "tolerance") for count in threads]
    table = _figures("gauge", "metric", *(header for group in headers for header in group))
    found = {(spread.gauge, spread.metric, spread.threads): spread for spread in diagnosis.spreads}
    for gauge, metric in dict.fromkeys((spread.gauge, spread.metric) for spread in diagnosis.spreads):
        group = [found[gauge, metric, count] for count in threads]
        sizes = [size for one in group for size in (one.highest, one.bytes, one.tolerance)]
        state = _worst([one.state for one in group])
        table.add_row("", _state(state), gauge, metric, *map(quantity.size, sizes))
    return table


def _resolution(diagnosis: Diagnosis) -> RenderableType:
    table = _figures("gauge", "", *(f"{phase} on" for phase in GROWN_PHASES), "tolerance")
    for gauge, found in _by_gauge(diagnosis):
        state = _worst([one.state for one in found])
        tolerance = quantity.size(max(one.tolerance for one in found))
        table.add_row("", _state(state), gauge, "", *(_seen(one) for one in found), tolerance)
    return table


def _worst(states: Sequence[State]) -> State:
    return max(states, key=lambda state: state.severity)


def _by_gauge(diagnosis: Diagnosis) -> Iterator[tuple[Gauge, list[Resolution]]]:
    for gauge in Gauge:
        if found := [one for one in diagnosis.resolutions if one.gauge is gauge]:
            yield gauge, found


def _seen(resolution: Resolution) -> str:
    if not resolution.quiet:
        return f"{resolution.control} without"
    return quantity.size(resolution.seen) if resolution.seen else f"none up to {quantity.size(LARGEST)}"


def _costs(diagnosis: Diagnosis) -> RenderableType:
    table = _plain_table(3)
    for cost in diagnosis.costs:
        times = f"{cost.seconds:.2f} s against {cost.bare_seconds:.2f} s"
        table.add_row("", cost.gauge, f"{cost.ratio:.2f} times", Text(times, style="dim"))
    return table


def _conclusion(diagnosis: Diagnosis) -> Iterator[Text]:
    """What it all means for tolerances, and whether to go on."""
    yield Text.assemble(("So", "bold"), (f"  same release, tolerances are {diagnosis.tolerances}", "dim"))
    for gauge, found in _by_gauge(diagnosis):
        yield Text(f"  {gauge}: {_meaning(diagnosis, gauge, found)}")
    off = sum(not state.trusted for state in diagnosis.states)
    if not off:
        yield Text("  figures of this machine can be trusted as documented", style="green")
    else:
        told = f"  {quantity.counted(off, 'thing')} off: figures are not as documented until that is seen to"
        yield Text(told, style=_STYLES[diagnosis.state])


def _meaning(diagnosis: Diagnosis, gauge: Gauge, found: Sequence[Resolution]) -> str:
    sizes = [one.seen for one in found]
    tolerance = max(one.tolerance for one in found)
    red = [one.control for one in found if not one.quiet]
    if red:
        told = f"the control itself goes red: a build that holds nothing more is judged {red[0]}"
    elif None not in sizes:
        told = f"a regression of {quantity.size(max(size or 0 for size in sizes))} is seen"
    elif all(one.beyond for one in found if one.seen is None):
        told = f"nothing up to {quantity.size(LARGEST)} is seen; "
        told += f"its tolerance is {quantity.size(tolerance)}, and more was not tried"
    else:
        told = f"a regression of {quantity.size(LARGEST)} is not seen, though the tolerance is "
        told += quantity.size(tolerance)
    noisy = [spread for spread in diagnosis.spreads if spread.gauge is gauge and not spread.state.trusted]
    if noisy:
        widest = quantity.size(max(spread.bytes for spread in noisy))
        told += f"; identical probes differ by {widest}: see to the controls, or allow as much"
    return told
