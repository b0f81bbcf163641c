"""Advice for people, on about one screen, and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ncnn_peakmem.advice import Advice, Answer, Candidate, Confirmation, Finding, Ratio, Setup, Stretch
from ncnn_peakmem.case import Precision
from ncnn_peakmem.reports import quantity

SCHEMA = 1
"""The version of the JSON document."""

_BOTH = (Stretch.LOAD, Stretch.INFERENCE)


def render(advice: Advice) -> RenderableType:
    """What to change, what confirms it, the floor, the front, and what was left out."""
    return Group(
        *_head(advice),
        Text(),
        *_answer(advice),
        Text(),
        *_front(advice),
        Text(),
        *_singles(advice),
        *_asides(advice),
    )


def change(advice: Advice, one: Candidate) -> str:
    """A change and what it does, such as `winograd43 off: -107.79 MiB peak, +3 % time [-2, +7]`."""
    return _change(advice, one.finding)


def _change(advice: Advice, one: Finding) -> str:
    before, goal = advice.findings[advice.reference], advice.goal
    words = advice.space.words(one.setup)
    if one.setup == advice.reference:
        return f"{words}: {goal.stretch} {quantity.size(one.bytes(goal))}"
    saved = quantity.difference(one.bytes(goal) - before.bytes(goal))
    return f"{words}: {saved} {goal.stretch}, {_time(one.ratio) if one.ratio else 'not timed'}"


def confirmed(advice: Advice, confirmation: Confirmation) -> str:
    """What the fresh measurement says: `confirmed: load peak 154 MiB -> 37 MiB, time 1.03x [0.98, 1.07]`."""
    before, after, goal = confirmation.before, confirmation.after, advice.goal
    if not (before.runs and after.runs and after.ratio is not None):
        failed = next((one for one in (before, after) if not one.outcome.ok), after)
        return f"not confirmed: measured once more, {_failure(failed)}"
    stretches = _BOTH if goal.stretch in (Stretch.PEAK, *_BOTH) else (goal.stretch,)
    word = "confirmed" if confirmation.holds(goal) else "not confirmed"
    if confirmation.alone:
        sizes = (f"{stretch} peak {quantity.size(after.bytes(goal, stretch))}" for stretch in stretches)
        return f"{word}: {', '.join(sizes)}"
    figures = ", ".join(
        f"{stretch} peak {_moved(before.bytes(goal, stretch), after.bytes(goal, stretch))}"
        for stretch in stretches
    )
    ratio = after.ratio
    return f"{word}: {figures}, time {ratio.median:.2f}x [{ratio.low:.2f}, {ratio.high:.2f}]"


def _head(advice: Advice) -> Iterator[Text]:
    goal, count = advice.goal, len(advice.findings)
    yield Text.assemble((advice.space.network, "bold"), " on ncnn ", (advice.ncnn, "bold"))
    yield Text(advice.machine.id, style="dim")
    told = f"{quantity.counted(count, 'setup')} measured, of at most {advice.most}; gauge {goal.gauge}"
    before = advice.findings[advice.reference]
    yield Text(told, style="dim")
    words = advice.space.words(advice.reference)
    if not _default_runs(advice):
        failed = _failure(advice.findings[advice.space.origin])
        yield Text(f"the default does not run: {failed}; compared with {words}", style="yellow")
    yield Text(f"{words}: {_figures(advice, before)}, {_inference(advice)}", style="dim")


def _answer(advice: Advice) -> Iterator[Text]:
    best, goal = advice.recommendation, advice.goal
    yield Text(_question(advice), style="bold")
    match best.answer:
        case Answer.OUT_OF_REACH:
            yield Text(f"  nothing does, of all that was measured: {_least(advice)}", style="red")
        case Answer.KEEP if goal.budget is not None:
            taken = quantity.size(advice.findings[advice.reference].bytes(goal))
            yield Text(f"  the default does: {goal.stretch} {taken}", style="green")
        case Answer.KEEP:
            yield Text("  keep the default: nothing that was measured takes less for that")
        case Answer.CHANGE:
            assert best.chosen is not None
            yield Text(f"  {change(advice, best.chosen)}", style="green" if advice.reached else "red")
            yield from _how(advice, best.chosen.setup)
            if advice.confirmation is not None:
                style = "green" if advice.confirmation.holds(goal) else "red"
                yield Text(f"  {confirmed(advice, advice.confirmation)}", style=style)
            if best.chosen.setup.precision is not advice.space.origin.precision:
                yield from _plainer(advice, best.plainer)
    floor = best.floor
    what = _reference(advice) if floor.setup == advice.reference else _change(advice, floor)
    yield Text(f"  floor {quantity.size(floor.bytes(goal))}: {what}")


def _question(advice: Advice) -> str:
    goal = advice.goal
    if goal.budget is None:
        limit = f"{100 * (goal.allowed_growth or 0):g} %"
        return f"The least {goal.stretch} for up to {limit} more time than {_reference(advice)}"
    limit = "" if goal.growth is None else f"{100 * goal.growth:g} % more time than {_reference(advice)}"
    within = f", for up to {limit}" if limit else ""
    return f"The cheapest way to {goal.stretch} {quantity.size(goal.budget)}{within}"


def _least(advice: Advice) -> str:
    goal, floor = advice.goal, advice.recommendation.floor
    if goal.budget is not None and floor.bytes(goal) <= goal.budget:
        why = "takes more time" if floor.ratio else "could not be timed"
        return f"what fits {why}, {_change(advice, floor)}"
    return f"the least is {quantity.size(floor.bytes(goal))}"


def _default_runs(advice: Advice) -> bool:
    return advice.reference == advice.space.origin


def _reference(advice: Advice) -> str:
    """What all is compared with."""
    return "the default" if _default_runs(advice) else advice.space.words(advice.reference)


def _how(advice: Advice, setup: Setup) -> Iterator[Text]:
    """What to write in C++, besides other model files."""
    lines = [f"opt.{flag} = {str(on).lower()};" for flag, on in advice.space.flags(setup).items()]
    if setup.threads != advice.reference.threads:
        lines.append(f"opt.num_threads = {setup.threads};")
    if lines:
        yield Text(f"  set        {' '.join(lines)}", style="dim")


def _plainer(advice: Advice, plainer: Candidate | None) -> Iterator[Text]:
    own = advice.space.origin.precision
    yield Text("  mind that other weights give other answers: see how near they come before you ship them")
    if plainer is None:
        yield Text(f"  with {own} weights nothing does")
    elif plainer.setup == advice.reference:
        yield Text(f"  with {own} weights: the default")
    else:
        yield Text(f"  with {own} weights: {change(advice, plainer)}")


def _front(advice: Advice) -> Iterator[RenderableType]:
    yield Text.assemble(("Front", "bold"), ("  each faster, beyond noise, than all that take less", "dim"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    stretches = tuple(dict.fromkeys((advice.goal.stretch, *_BOTH)))
    for stretch in stretches:
        table.add_column(stretch, justify="right", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("95 %", no_wrap=True)
    table.add_column("setup")
    chosen = advice.recommendation.chosen
    for one in _rows(advice):
        off = one not in advice.front
        sizes = (quantity.size(one.finding.bytes(advice.goal, stretch)) for stretch in stretches)
        words = advice.space.words(one.setup) + (" (not on the front)" if off else "")
        style = "green" if chosen is not None and one.setup == chosen.setup else "dim" if off else ""
        ratio = one.ratio
        spread = f"[{ratio.low:.2f}, {ratio.high:.2f}]" if one.finding.timing else ""
        table.add_row(*sizes, f"{ratio.median:.2f}x", spread, words, style=style)
    yield table


def _singles(advice: Advice) -> Iterator[RenderableType]:
    """What each change does to the reference, from the one that saves most."""
    singles = [
        Candidate(one, one.bytes(advice.goal), one.ratio)
        for step in advice.space.steps(advice.reference)
        if (one := advice.findings.get(step)) is not None and one.runs and one.ratio is not None
    ]
    if singles:
        yield Text("Each change by itself", style="bold")
        for single in sorted(singles, key=lambda one: one.bytes):
            yield Text(f"  {change(advice, single)}")
        yield Text()


def _rows(advice: Advice) -> list[Candidate]:
    """The front, with the reference and what is recommended wherever they are."""
    reference = advice.findings[advice.reference]
    shown = {one.setup: one for one in advice.front}
    assert reference.ratio is not None
    default = Candidate(reference, reference.bytes(advice.goal), reference.ratio)
    for one in (default, advice.recommendation.chosen):
        if one is not None:
            shown.setdefault(one.setup, one)
    return sorted(shown.values(), key=lambda one: (one.bytes, one.ratio.median))


def _asides(advice: Advice) -> Iterator[Text]:
    """What changes nothing, what did not run, and what was not looked at."""
    for same, names in _folded(advice).items():
        noise = advice.goal.noise
        near = f"give or take {quantity.size(noise)}" if noise else "to the byte"
        yield Text(f"the same as {same}, {near}: {'; '.join(names)}")
    for one in advice.excluded:
        if one.setup != advice.space.origin:
            yield Text(f"left out, {_failure(one)}", style="yellow")
    growing = [one for one in advice.findings.values() if one.reading(advice.goal.gauge).growing]
    if growing:
        words = "; ".join(advice.space.words(one.setup) for one in growing)
        yield Text(f"still growing when the last loop ended, so look longer with --loops: {words}", "yellow")
    if advice.left:
        yield Text(
            f"{quantity.counted(advice.left, 'setup')} at least that may matter were not measured: "
            f"raise --most above {advice.most}, and what is known is not measured again",
            style="yellow",
        )


def _folded(advice: Advice) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in advice.folded:
        assert one.same_as is not None
        found.setdefault(advice.space.words(one.same_as), []).append(advice.space.words(one.setup))
    return found


def _failure(one: Finding) -> str:
    cause = one.outcome.cause.splitlines()
    where = f" in {one.outcome.phase}" if one.outcome.phase else ""
    return f"{one.measurement.case}: {one.outcome.kind}{where}{f': {cause[0]}' if cause else ''}"


def _figures(advice: Advice, one: Finding) -> str:
    return ", ".join(f"{stretch} {quantity.size(one.bytes(advice.goal, stretch))}" for stretch in _BOTH)


def _moved(before: int, after: int) -> str:
    """Such as `154.00 -> 36.60 MiB`."""
    old, new = quantity.size(before), quantity.size(after)
    unit = f" {new.rpartition(' ')[2]}"
    return f"{old.removesuffix(unit)} -> {new}"


def _inference(advice: Advice) -> str:
    times = [one.timing.reference_ns for one in advice.findings.values() if one.timing and one.timing.ok]
    return f"{min(times) / 1e6:.1f} ms an inference" if times else "nothing to time it beside"


def _time(ratio: Ratio) -> str:
    low, high = (f"{100 * (bound - 1):+.0f}" for bound in (ratio.low, ratio.high))
    return f"{100 * ratio.growth:+.0f} % time [{low}, {high}]"


def to_json(advice: Advice) -> str:
    """The advice for programs: sizes in bytes, times as ratios to the reference's, all that was measured."""
    goal, best = advice.goal, advice.recommendation
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "network": advice.space.network,
        "ncnn": advice.ncnn,
        "machine_class": advice.machine.id,
        "goal": {
            "gauge": goal.gauge,
            "metric": goal.metric,
            "stretch": goal.stretch,
            "budget": goal.budget,
            "max_latency_growth": goal.allowed_growth,
        },
        "answer": best.answer,
        "reached": advice.reached,
        "reference": advice.space.case(advice.reference).id,
        "chosen": _id(advice, best.chosen),
        "chosen_with_own_weights": _id(advice, best.plainer),
        "floor": _id(advice, best.floor),
        "front": [_id(advice, one) for one in advice.front],
        "confirmation": None,
        "most": advice.most,
        "left": advice.left,
        "setups": [_entry(advice, one) for one in advice.findings.values()],
    }
    if (again := advice.confirmation) is not None:
        document["confirmation"] = {
            "confirmed": again.holds(goal),
            "before": _entry(advice, again.before),
            "after": _entry(advice, again.after),
        }
    return json.dumps(document, indent=2) + "\n"


def _id(advice: Advice, one: Candidate | Finding | None) -> str | None:
    return None if one is None else advice.space.case(one.setup).id


def _entry(advice: Advice, one: Finding) -> dict[str, Any]:
    space, timing = advice.space, one.timing
    precision: Precision = one.setup.precision
    return {
        "case": space.case(one.setup).id,
        "change": space.words(one.setup),
        "precision": precision,
        "threads": one.setup.threads,
        "flags": space.flags(one.setup),
        "outcome": {"kind": one.outcome.kind, "cause": one.outcome.cause, "phase": one.outcome.phase},
        "same_as": None if one.same_as is None else space.case(one.same_as).id,
        "bytes": one.bytes(advice.goal) if one.runs else None,
        "phases": one.reading(advice.goal.gauge).phases,
        "time": None
        if one.ratio is None
        else {"ratio": one.ratio.median, "low": one.ratio.low, "high": one.ratio.high},
        "pairs_ns": timing.pairs if timing else [],
    }
