"""The page about precisions: what flags alone change, what real files do, and where those take more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ncnn_peakmem.case import Case, Precision
from ncnn_peakmem.measurement import Gauge, Measurement, MeasurementSet, Metric, Phase, Reading
from ncnn_peakmem.reports import quantity
from ncnn_peakmem.reports.conversion import Converted
from ncnn_peakmem.reports.markdown_pieces import code, table

_PHASES = (Phase.LOAD_MODEL, Phase.FIRST, Phase.STEADY)
_COSINE = 0.99
_WINOGRAD = "resnet18"


def render(
    measured: MeasurementSet, article: Sequence[Case], precisions: Sequence[Case], files: Sequence[Converted]
) -> str:
    """The page, of the baselines of one release and what `ncnn-peakmem convert --json` told of the files."""
    figures = _Figures(measured.cases)
    lines = [
        "# Precisions",
        "",
        "Made by `ncnn-peakmem convert --json > docs/precisions.json` and `python -m",
        "benchmarks.precision_page`; what is edited here is lost. Sizes and cosines are of the former.",
        "",
        f"ncnn {measured.ncnn}, one thread; the gauge is `heap` where none is named. Figures of memory are",
        f"the stored baselines of {code(measured.machine.id)}.",
        "",
        *_flags(figures, article),
        *_files(files),
        *_memory(figures, precisions),
        *_more(figures, precisions),
        *_winograd(figures, precisions),
    ]
    return "\n".join(lines)


class _Figures:
    """What a case took, in bytes; None where it was not measured to that phase."""

    def __init__(self, cases: Mapping[str, Measurement]) -> None:
        self._cases = cases

    def heap(self, case: Case, phase: Phase, metric: Metric = Metric.PEAK) -> int | None:
        reading = self._reading(case, Gauge.HEAP)
        return reading.gross(phase, metric) if reading else None

    def pages_peak(self, case: Case) -> int | None:
        reading = self._reading(case, Gauge.PAGES)
        return reading.net_peak(Metric.VM_PEAK) if reading else None

    def _reading(self, case: Case, gauge: Gauge) -> Reading | None:
        found = self._cases.get(case.id)
        reading = found.readings.get(gauge) if found else None
        return reading if reading and reading.outcome.ok else None


def _flags(figures: _Figures, cases: Sequence[Case]) -> Iterator[str]:
    yield from (
        "## What the flags alone change",
        "",
        "The article set ncnn's fp16 and int8 flags for float files and saw nothing. This is all there",
        "is to see: how the peak of each phase differs where one flag is off, over every other option.",
        "",
    )
    rows = []
    for network in dict.fromkeys(case.network for case in cases):
        own = [case for case in cases if case.network == network]
        cells = [_spread(figures, own, axis, off) for axis, off in (("int8", "plain"), ("fp16", "single"))]
        rows.append([network, *cells])
    yield from table(["network", "int8 flags off", "fp16 flags off"], rows)
    yield from (
        "int8 flags do nothing for weights that are not int8. On x86 the fp16 flags store the weights",
        "of fully connected layers in two bytes, not four, and change nothing else.",
        "",
    )


def _spread(figures: _Figures, cases: Sequence[Case], axis: str, off: str) -> str:
    """How the peaks of phases move where an axis takes the choice `off`."""
    others = {case.without(axis): case for case in cases if case.label(axis) == off}
    moved = []
    for case in cases:
        other = others.get(case.without(axis))
        if case.label(axis) == off or other is None:
            continue
        for phase in _PHASES:
            now, then = figures.heap(other, phase), figures.heap(case, phase)
            if now is not None and then is not None:
                moved.append(now - then)
    return quantity.differences(moved) if moved else ""


def _files(files: Sequence[Converted]) -> Iterator[str]:
    yield from (
        "## The files",
        "",
        "`ncnn-peakmem convert` makes them all. Cosines are against fp32, on eight inputs that no",
        "calibration has seen: their mean, the worst, and the mean for the differences from the mean",
        "output, which networks with random weights show best. Of several outputs it is the smallest.",
        "With fp16 all of them are above 0.9999.",
        "",
    )
    rows = {(row.network, row.precision): row for row in files}
    made = [row for row in files if row.precision is Precision.INT8]
    header = ["network", "fp32", "fp16", "int8", "int8 layers", "cosine", "worst", "centred"]
    yield from table(
        header,
        (
            [
                row.network,
                *(quantity.size(rows[row.network, precision].bin_bytes) for precision in Precision),
                f"{row.quantized} of {row.quantizable}",
                *("" if value is None else f"{value:.5f}" for value in (row.cosine, row.worst, row.centred)),
            ]
            for row in made
        ),
    )
    below = [
        f"{row.network} ({row.cosine:.5f})" for row in made if row.cosine is not None and row.cosine < _COSINE
    ]
    yield from (
        f"Below {_COSINE} with int8: {', '.join(below) or 'none'}.",
        "",
        "Weights are random here, so that such a figure says nothing of a network that was trained. Why",
        "these lose so much was not found out.",
        "",
        "Grouped convolutions that are not depthwise stay float: on x86, ncnn 1.0.20250428 to",
        "1.0.20261020 hands on memory that it never wrote where eight or more of their int8 channels a",
        "group give floats.",
        "",
    )


def _memory(figures: _Figures, cases: Sequence[Case]) -> Iterator[str]:
    yield from (
        "## What they take",
        "",
        "Peaks of loading the weights and of looped inference, in light mode and without, and the whole",
        "process above the interpreter and libncnn (`pages`, VmPeak).",
        "",
    )
    heavy = {case.without("lightmode"): case for case in cases if case.label("lightmode") == "heavy"}
    rows = []
    for case in cases:
        if case.label("lightmode") != "light" or case.without("lightmode") not in heavy:
            continue
        kinds = (case, heavy[case.without("lightmode")])
        heaps = [figures.heap(kind, phase) for kind in kinds for phase in (Phase.LOAD_MODEL, Phase.STEADY)]
        cells = [*heaps, *map(figures.pages_peak, kinds)]
        rows.append([case.network, case.precision, *(_size(cell) for cell in cells)])
    header = ["network", "weights", "load, light", "steady, light", "load, heavy", "steady, heavy"]
    yield from table([*header, "process, light", "process, heavy"], rows, names=2)


def _more(figures: _Figures, cases: Sequence[Case]) -> Iterator[str]:
    yield from (
        "## Where files of fewer bits take more",
        "",
        "Every phase in which a network takes more with them than with fp32, and how much more. Of",
        "`heap` none are fp16's: ncnn widens its weights while it reads them. The buffer for that is",
        "not one of ncnn's own allocations, and shows in the process above: it is the largest layer.",
        "",
    )
    fp32 = {_alike(case): case for case in cases if case.precision is Precision.FP32}
    rows = []
    for case in cases:
        if case.precision is Precision.FP32 or _alike(case) not in fp32:
            continue
        for phase in _PHASES:
            now, then = figures.heap(case, phase), figures.heap(fp32[_alike(case)], phase)
            if now is not None and then is not None and now > then:
                mode = case.label("lightmode") or ""
                rows.append([case.network, case.precision, mode, phase, quantity.difference(now - then)])
    yield from table(["network", "weights", "mode", "phase", "more"], rows, names=4)


def _alike(case: Case) -> tuple[object, ...]:
    return (case.network, case.threads, *((choice.axis, choice.label) for choice in case.options))


def _winograd(figures: _Figures, cases: Sequence[Case]) -> Iterator[str]:
    yield from (
        "## What winograd makes of int8",
        "",
        "For 3x3 convolutions ncnn keeps int8 weights as 32-bit integers, transformed by winograd's",
        f"F(4,3): 144 bytes for the nine of a kernel. {_WINOGRAD}'s file is a quarter of fp32's, and",
        "loading it takes nearly as much, since fp32 uses F(4,3) here as well. A `.param` with shape",
        "hints (parameter 30) lets fp32 choose smaller tiles, and then int8 takes more: with ncnn",
        "1.0.20261020 its own `benchmark/models/resnet18.param` loads with 103.64 MiB, and",
        "`resnet18_int8.param` with 157.08 (`ncnn-peakmem measure FILE --gauge heap`).",
        "",
        "It is so since 1.0.20231027, before which int8 held 74.21 MiB after loading:",
        "",
        "    ncnn-peakmem history --profile precisions --case resnet18-int8-light-half-q8-t1 --gauge heap",
        "",
        "An option gives it back, and `ncnn-peakmem advise resnet18 --precision int8` finds it:",
        "",
    )
    light = [case for case in cases if case.network == _WINOGRAD and case.label("lightmode") == "light"]
    rows = []
    for case in light:
        if case.label("winograd") is None and case.precision is not Precision.FP16:
            rows.append([case.precision, "as ncnn has them", *_loading(figures, case)])
        elif case.precision is Precision.INT8:
            flags = [name for name, value in case.flags.items() if "winograd" in name and not value]
            rows.append([case.precision, f"without {', '.join(map(code, flags))}", *_loading(figures, case)])
    yield from table(
        ["weights", "options", "load, peak", "after loading", "steady, peak", "process"], rows, names=2
    )


def _loading(figures: _Figures, case: Case) -> Iterator[str]:
    yield _size(figures.heap(case, Phase.LOAD_MODEL))
    yield _size(figures.heap(case, Phase.LOAD_MODEL, Metric.LIVE))
    yield _size(figures.heap(case, Phase.STEADY))
    yield _size(figures.pages_peak(case))


def _size(count: int | None) -> str:
    return "" if count is None else quantity.size(count)
