from __future__ import annotations

from collections.abc import Iterable

import pytest

from ncnn_peakmem import param_file
from ncnn_peakmem.case import Case, OptionChoice, Precision
from ncnn_peakmem.graph import Graph, build
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import (
    Gauge,
    Measurement,
    MeasurementSet,
    Metric,
    Outcome,
    OutcomeKind,
    Phase,
    Reading,
)
from ncnn_peakmem.network import InputBlob
from ncnn_peakmem.reports import accounting

PARAM = """\
7767517
4 4
Input                data 0 1 data
ConvolutionDepthWise dw   1 1 data a 0=8 1=3 4=1 6=72 7=8
Pooling              pool 1 1 a b 0=1 4=1
InnerProduct         fc   1 1 b out 0=10 1=1 2=80
"""
MACHINE = MachineClass("x86_64", ("avx2",), 2**20, 2, 4096, "glibc2.36")


@pytest.fixture
def graph() -> Graph:
    return build(param_file.parse(PARAM), [InputBlob("data", (8, 16, 16))])


def case(network: str, label: str, threads: int = 1) -> Case:
    options = (OptionChoice("lightmode", label, {"lightmode": label == "light"}),)
    return Case(network, Precision.FP32, options, threads)


def measured(peaks: Iterable[tuple[Case, int | None]]) -> MeasurementSet:
    """Of each case the heap's peak, or a crash in its place."""
    readings = {
        one.id: Reading(
            Outcome(OutcomeKind.CRASHED if peak is None else OutcomeKind.OK),
            {Phase.FIRST: {Metric.PEAK: peak or 0}},
        )
        for one, peak in peaks
    }
    cases = {name: Measurement(name, "model", {Gauge.HEAP: reading}) for name, reading in readings.items()}
    return MeasurementSet("1.0.20261020", MACHINE, cases)


def rows(page: str, title: str) -> dict[str, list[str]]:
    """The lines of all tables under a heading, by their first cell."""
    section = page.partition(f"## {title}\n")[2].partition("\n## ")[0]
    cells = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return {line[0]: line[1:] for line in cells}


def test_layers_of_mobilenet_and_what_stride_2_would_make_of_the_last(graph: Graph) -> None:
    page = accounting.render({"mobilenet_v1": graph}, measured([]), [])

    assert rows(page, "MobileNet, layer by layer")["`dw 3x3x8`"] == ["1", "8,192", "8,192", "288", "16,672"]
    total = (8192 + 8192 + 288) + (32 + 40 + 320)
    assert f"- The layers with weights: {total:,} bytes. With pooling: {total + 8192 + 32:,} bytes." in page
    assert f"stride 2 it would be {8192 + 2048 + 288:,} bytes on this input" in page
    assert f"or {4 * 8192 + 8192 + 288:,} on one that gives this output" in page
    assert "## MCUNet's table" not in page


def test_only_what_is_there_is_told(graph: Graph) -> None:
    page = accounting.render({"mine": graph, "mobilenet_v2": graph}, measured([]), [])

    assert "MobileNet, layer by layer" not in page
    assert set(rows(page, "MCUNet's table")) == {"MB", "---", "`mobilenet_v2 fp32`", "`mobilenet_v2 int8`"}


def test_layers_that_repeat_are_one_line(graph: Graph) -> None:
    twice = PARAM.replace("4 4\n", "5 5\n").replace(
        "Pooling              pool 1 1 a b",
        "ConvolutionDepthWise dw2 1 1 a c 0=8 1=3 4=1 6=72 7=8\nPooling pool 1 1 c b",
    )
    graph = build(param_file.parse(twice), [InputBlob("data", (8, 16, 16))])

    page = accounting.render({"mobilenet_v1": graph}, measured([]), [])

    assert rows(page, "MobileNet, layer by layer")["`dw 3x3x8`"][0] == "2"


def test_what_fits_and_how_much_is_lacking(graph: Graph) -> None:
    large = build(param_file.parse(PARAM), [InputBlob("data", (8, 192, 192))])

    page = accounting.render({"small": graph, "large": large}, measured([]), [])

    assert "**STM32F746**: 320 KiB of memory, 1 MiB of flash." in page
    assert "**V100**: 16 GiB of memory, more storage than any network needs." in page
    assert page.count("All 2 networks fit, in every precision and by every convention.") == 2
    told = rows(page, "Does it fit?")
    assert told["`small fp32`"] == ["fits"] * 6
    assert told["`large fp32`"] == ["fits", *["7.2 x"] * 5]
    assert told["`large int8`"] == ["fits", *["1.8 x"] * 5]


def test_measured_peaks_are_beside_the_conventions(graph: Graph) -> None:
    light, heavy = case("mine", "light"), case("mine", "heavy")
    weights, blobs = 4 * (72 + 80 + 10), 8192 + 8192
    peaks = [(light, 2 * (weights + blobs)), (case("mine", "light", 2), 1), (heavy, 10**6)]

    page = accounting.render({"mine": graph}, measured(peaks), [light, case("mine", "light", 2), heavy])

    told = rows(page, "What ncnn really takes")["`mine`"]
    assert told[:5] == ["0.001", "0.017", "0.017", "0.034", "2.00"]
    assert told[6:] == ["1.000", f"{10**6 / (weights + blobs + 32 + 40):.2f}"]
    assert "ncnn 1.0.20261020" in page
    assert MACHINE.id in page


@pytest.mark.parametrize("heavy", [None, "not measured"])
def test_network_without_figures_has_no_line(graph: Graph, heavy: str | None) -> None:
    cases = [case("mine", "light"), case("mine", "heavy")]
    found = measured([(cases[0], 5), *([(cases[1], None)] if heavy is None else [])])

    page = accounting.render({"mine": graph}, found, cases)

    assert "`mine`" not in rows(page, "What ncnn really takes")
