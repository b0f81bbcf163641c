from __future__ import annotations

import json
from dataclasses import replace

import pytest
from rich.console import Console

from ncnn_peakmem.anatomy.attribution import Attribution
from ncnn_peakmem.anatomy.bridge import Step, bridge
from ncnn_peakmem.anatomy.dissection import Dissection
from ncnn_peakmem.anatomy.part import Kind, Moment, Part, Split
from ncnn_peakmem.anatomy.saving import Saving
from ncnn_peakmem.anatomy.share import OUTPUT_COPY
from ncnn_peakmem.anatomy.timeline import LayerRow
from ncnn_peakmem.measurement import Metric, Outcome, OutcomeKind, Phase, Reading
from ncnn_peakmem.reports.anatomy import AnatomyReport, document, render

MIB = 1 << 20


def row(number: int, *, held: int = 0, output: int = MIB) -> LayerRow:
    return LayerRow(
        layer=f"conv_{number}",
        title="conv 1x1 8->8",
        shape=(8, 4, 4),
        input=MIB,
        output=output,
        stored=1000 * number,
        weights=2000,
        workspace=0,
        live_after=4 * MIB,
        held_after=held or 5 * MIB,
        running_peak=held or 5 * MIB,
    )


@pytest.fixture
def found() -> Dissection:
    moment = Moment(Phase.FIRST, 0, "conv_3", "conv 1x1 8->8")
    peak = Split(
        10 * MIB,
        moment,
        (
            Part("conv_1", "conv 1x1 8->8", Kind.WEIGHTS, 4 * MIB),
            Part("conv_2", "conv 1x1 8->8", Kind.WEIGHTS, 1 * MIB),
            Part("conv_3", "conv 1x1 8->8", Kind.LIVE_BLOB, 3 * MIB),
            Part("conv_8", "conv 1x1 8->8", Kind.LIVE_BLOB, 4096, OUTPUT_COPY),
            Part("conv_3", "conv 1x1 8->8", Kind.IDLE_POOL, 2 * MIB - 4096),
        ),
    )
    load = Split(
        6 * MIB,
        Moment(Phase.LOAD_MODEL, None, "conv_1", "conv 1x1 8->8"),
        (
            Part("conv_1", "conv 1x1 8->8", Kind.WEIGHTS, 5 * MIB),
            Part("conv_1", "conv 1x1 8->8", Kind.HELD_TWICE, MIB),
        ),
    )
    rows = tuple(row(number, held=(2 + number) * MIB, output=number * MIB) for number in range(1, 9))
    savings = (
        Saving("conv_3", "conv 1x1 8->8", Kind.LIVE_BLOB, 3 * MIB, 8 * MIB, "conv_4"),
        Saving("conv_5", "conv 1x1 8->8", Kind.WORKSPACE, 1 * MIB, 10 * MIB, "conv_3"),
    )
    return Dissection(Attribution("digest", peak, load, ("something to know",)), rows, savings)


@pytest.fixture
def pages() -> Reading:
    phases = {
        Phase.IMPORT: {Metric.VM_PEAK: 40 * MIB},
        Phase.FIRST: {Metric.VM_PEAK: 51 * MIB},
    }
    return Reading(Outcome(OutcomeKind.OK), phases, 12)


def shown(
    found: Dissection, steps: tuple[Step, ...], *, every_row: bool = False, width: int = 120
) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(render(AnatomyReport("net-t1", "1.0.20261020", found, steps), every_row=every_row))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_bridge_adds_up_from_paper_to_the_process(found: Dissection, pages: Reading) -> None:
    steps = bridge(found.attribution.peak, found.rows, pages)

    # conv_8 reads and makes most; all of its figures are on paper only.
    assert steps[0].bytes == 9 * MIB + 8000
    assert "conv_8" in steps[0].text
    total = 0
    for step in steps:
        assert not step.is_sum or step.bytes == total, step.text
        total += 0 if step.is_sum else step.bytes
    assert [step.bytes for step in steps if step.is_sum] == [10 * MIB, 11 * MIB, 51 * MIB]
    assert next(step for step in steps if "floor:" in step.text).bytes == 40 * MIB


def test_bridge_without_layers_or_pages_ends_with_the_heap(found: Dissection) -> None:
    steps = bridge(found.attribution.peak, (), None)

    assert sum(step.bytes for step in steps[:-1]) == steps[-1].bytes == 10 * MIB
    assert steps[-1].is_sum


def test_report_tells_what_where_and_when(found: Dissection) -> None:
    lines = shown(found, bridge(found.attribution.peak, found.rows, None))

    assert lines[0] == "net-t1  on ncnn 1.0.20261020  heap peak 10.00 MiB, 10485760 bytes"
    assert lines[1] == "reached in inference 0 (first), at conv 1x1 8->8 (conv_3)"
    assert (
        " ".join(lines[3].split()) == "█ weights 5.00 MiB 50.0 % most of it conv 1x1 8->8 (conv_1) 4.00 MiB"
    )
    assert "load peak 6.00 MiB, at conv 1x1 8->8 (conv_1): weights 5.00 MiB, held twice 1.00 MiB" in lines
    assert lines[-1] == "note: something to know"


def test_only_what_lowers_the_peak_is_advised(found: Dissection) -> None:
    lines = shown(found, ())

    (advice,) = (" ".join(line.split()) for line in lines if "without" in line)
    assert advice == "without live blob of conv 1x1 8->8 (conv_3), 3.00 MiB -2.00 MiB 8.00 MiB at conv_4"


def test_layers_fold_to_those_that_ask_for_most(found: Dissection) -> None:
    folded, whole = shown(found, ()), shown(found, (), every_row=True)

    assert " 2 more with --all" in folded
    assert not any("(conv_1)  " in line for line in folded[9:18]), "it makes least"
    assert any(line.startswith("*conv 1x1 8->8 (conv_3)") for line in folded), "the peak is there"
    assert sum("8x4x4" in line for line in whole) == 8


def test_report_of_a_run_that_could_not_be_stepped(found: Dissection) -> None:
    lines = shown(replace(found, rows=(), savings=()), bridge(found.attribution.peak, (), None))

    assert not any("running peak" in line or "what would lower it" in line for line in lines)
    assert any(line.startswith("= heap gauge") for line in lines)


def test_hundreds_of_layers_fit_a_line(found: Dissection) -> None:
    many = replace(found, rows=tuple(row(number, held=number * MIB) for number in range(1, 561)))

    (held,) = (line for line in shown(many, ()) if line.startswith(" held"))

    assert len(held) < 120
    assert "1.00 MiB to 560.00 MiB" in held
    assert held.split()[1][-1] == "█", "the highest of what a block stands for"


def test_document_is_json(found: Dissection) -> None:
    told = json.loads(json.dumps(document(AnatomyReport("net-t1", "1.0", found, (Step("all", 1, True),)))))

    assert told["case"] == "net-t1"
    assert told["bridge"] == [{"text": "all", "bytes": 1, "is_sum": True}]
    assert told["attribution"]["peak"]["bytes"] == 10 * MIB
