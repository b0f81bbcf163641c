"""From the largest layer on paper to what the operating system shows: every step between, in bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ncnn_peakmem.anatomy.part import Kind, Split
from ncnn_peakmem.anatomy.share import OUTPUT_COPY
from ncnn_peakmem.anatomy.timeline import LayerRow
from ncnn_peakmem.measurement import Metric, Reading


@dataclass(frozen=True, slots=True)
class Step:
    """What is added, or, if it `is_sum`, where one has got to by adding all steps before it."""

    text: str
    bytes: int
    is_sum: bool = False


def bridge(peak: Split, rows: Sequence[LayerRow], pages: Reading | None) -> tuple[Step, ...]:
    """The steps, those of no bytes left out; without a reading of gauge `pages` it ends with the heap."""
    steps = [*_on_paper(peak, rows), Step("heap gauge, peak", peak.bytes, is_sum=True)]
    net = pages.net_peak(Metric.VM_PEAK) if pages else None
    gross = pages.peak(Metric.VM_PEAK) if pages else None
    if net is not None and gross is not None:
        steps += [
            Step("rounding to pages, and C++ and Python objects beside it", net - peak.bytes),
            Step("pages gauge, VmPeak above the floor", net, is_sum=True),
            Step("floor: the interpreter and libncnn, without a network", gross - net),
            Step("VmPeak, as the kernel shows it", gross, is_sum=True),
        ]
    return tuple(step for step in steps if step.bytes or step.is_sum)


def _on_paper(peak: Split, rows: Sequence[LayerRow]) -> Iterator[Step]:
    weighted = [row for row in rows if row.stored] or rows
    largest = max(weighted, key=lambda row: row.on_paper, default=None)
    blobs = stored = 0
    if largest is not None:
        blobs, stored = largest.input + largest.output, largest.stored
        yield Step(f"largest layer on paper, {largest.where}: input + output + weights", largest.on_paper)
    copied = sum(part.bytes for part in peak.parts if part.note == OUTPUT_COPY)
    weights = (
        "the weights of all other layers, as ncnn packs them" if stored else "weights, as ncnn packs them"
    )
    yield Step(weights, peak.of(Kind.WEIGHTS) - stored)
    yield Step("a second copy of weights", peak.of(Kind.HELD_TWICE))
    yield Step("the network's input, held by the caller", peak.of(Kind.INPUT))
    yield Step(_live(peak, largest), peak.of(Kind.LIVE_BLOB) - copied - blobs)
    yield Step("workspace: padded inputs, tiles, transforms", peak.of(Kind.WORKSPACE))
    yield Step("idle in the pools", peak.of(Kind.IDLE_POOL))
    yield Step("copy of the output", copied)
    yield Step("other", peak.of(Kind.OTHER))


def _live(peak: Split, largest: LayerRow | None) -> str:
    if largest is None:
        return "live blobs"
    moment = peak.moment.layer or peak.moment.phase
    return f"blobs alive at the peak ({moment}) instead of its input and output"
