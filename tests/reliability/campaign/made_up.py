"""Rows of a campaign that are made up, and the models.yaml of a small one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ncnn_peakmem.baselines import VerdictKind
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import Gauge, Metric, Phase
from ncnn_peakmem.network import Loops
from ncnn_peakmem.reliability.campaign import Anchor, Part, Record, Setting, Tally, Trial
from ncnn_peakmem.tolerance import Tolerance
from tests.models_file import EXACT, models_file

CASE = "small-fp32-light-t1"
MACHINE = MachineClass("riscv64", (), 1 << 20, 4, 4096, "glibc2.40")
SETTING = Setting("1.0.20260101", MACHINE, 4, Loops(4, 12), "6.1.2")
KIB = 1024

PAGES = "{absolute: 16 KiB, relative: 0 %}"
MODELS = models_file(
    {"all": "{networks: all, axes: [lightmode], threads: [1]}"},
    reference="1.0.20260101",
    loops=(12, 400),
    tolerances={**EXACT, Gauge.PAGES: (PAGES, PAGES)},
)
"""Of gauge pages a figure may move by four pages, of the others by nothing."""


def anchor(part: Part = Part.IDENTICAL, gauge: Gauge = Gauge.PAGES, **changed: Any) -> Anchor:
    metric = Metric.PEAK if gauge is Gauge.HEAP else Metric.VM_PEAK
    found = Anchor(
        part=part,
        case=CASE,
        gauge=gauge,
        threads=1,
        model="small",
        tolerance=Tolerance(0 if gauge is Gauge.HEAP else 16 * KIB),
        figures={Phase.FIRST: {metric: 1 << 20}, Phase.STEADY: {metric: 2 << 20}},
        loops=4,
        settled_at=0,
        load_average=0.5,
    )
    return replace(found, **changed)


def trial(
    verdict: VerdictKind, part: Part = Part.IDENTICAL, gauge: Gauge = Gauge.PAGES, **changed: Any
) -> Trial:
    return replace(Trial(part, CASE, gauge, verdict, seconds=0.2, load_average=1.5), **changed)


def injected_and_seen(phase: Phase, held_bytes: int) -> Trial:
    moved = {phase: {Metric.VM_PEAK: 17 * KIB}}
    return trial(VerdictKind.REGRESSED, Part.INJECTED, phase=phase, held_bytes=held_bytes, moved=moved)


def tally(*trials: Trial, anchors: tuple[Anchor, ...] | None = None) -> Tally:
    known = anchors or tuple(anchor(part, gauge) for part in Part for gauge in Gauge)
    return Tally(Record(SETTING, {first.subject: first for first in known}, trials))
