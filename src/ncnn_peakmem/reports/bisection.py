"""A bisection in words, and as a document for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ncnn_peakmem.history.bisection import Bisection, Sample
from ncnn_peakmem.reports.quantity import difference, percent, size


def judged(sample: Sample, limit_bytes: int) -> str:
    """`good`, `bad` or `cannot tell`."""
    good = sample.within(limit_bytes)
    return "cannot tell" if good is None else "good" if good else "bad"


def probe_line(sample: Sample, limit_bytes: int, origin: str) -> str:
    """One release looked at, such as `1.0.20230223    24.11 MiB   bad           measured`."""
    figure = "" if sample.bytes is None else size(sample.bytes)
    return f"{sample.release:<14}{figure:>12}   {judged(sample, limit_bytes):<14}{sample.cause or origin}"


def verdict_lines(found: Bisection) -> Iterator[str]:
    """What was found, how sure it is, and what was not looked at."""
    good, bad = found.last_good, found.first_bad
    yield (
        f"first bad {bad.release}: {size(bad.bytes or 0)}, "
        f"{difference(found.difference)} ({percent(found.percent)}) "
        f"against {size(good.bytes or 0)} of {good.release}, the last good"
    )
    unknown = [sample.release for sample in found.samples if sample.bytes is None]
    between = [release for release in found.candidates if release in unknown]
    older = [
        sample.release for sample in found.samples[: found.samples.index(good)] if sample.release in unknown
    ]
    if between:
        yield f"or {', '.join(between)}, which could not be measured"
    if len(found.crossings) > 1:
        turns = (
            f"{judged(turn.after, found.limit_bytes)} from {turn.after.release}" for turn in found.crossings
        )
        yield f"the history goes up and down: {', '.join(turns)}"
    elif not found.monotone:
        yield "the figures do not only grow, though they cross the limit but once"
    else:
        yield "among the releases looked at the figures only grow"
    if older:
        yield f"could not be measured, and may have been bad before: {', '.join(older)}"
    if found.unprobed:
        yield f"not looked at, and may have been bad before (--thorough looks): {', '.join(found.unprobed)}"


def document(found: Bisection, stored: frozenset[str]) -> dict[str, Any]:
    """The bisection for programs; `stored` are the releases whose figures were not measured now."""
    return {
        "limit": found.limit_bytes,
        "first_bad": found.first_bad.release,
        "last_good": found.last_good.release,
        "difference": found.difference,
        "percent": found.percent,
        "candidates": found.candidates,
        "monotone": found.monotone,
        "unprobed": found.unprobed,
        "crossings": [[turn.before.release, turn.after.release] for turn in found.crossings],
        "samples": [
            {
                "release": sample.release,
                "bytes": sample.bytes,
                "verdict": judged(sample, found.limit_bytes),
                "cause": sample.cause,
                "origin": "stored" if sample.release in stored else "measured",
            }
            for sample in found.samples
        ],
    }
