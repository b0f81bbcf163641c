"""docs/accounting.md: what conventions on paper say of each network, and what ncnn really takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ncnn_peakmem.accounting import BYTES_PER_ELEMENT, CONVENTIONS, DEVICES, Device, conventions, fit
from ncnn_peakmem.accounting.layer_table import Row, layer_table
from ncnn_peakmem.case import Case, Precision
from ncnn_peakmem.graph import Graph, Node
from ncnn_peakmem.graph.label import is_depth_wise
from ncnn_peakmem.graph.shapes import elements, infer
from ncnn_peakmem.measurement import Gauge, MeasurementSet, Metric
from ncnn_peakmem.network import Shape
from ncnn_peakmem.reports.markdown_pieces import code, table

COMMAND = "python -m benchmarks.accounting_page"

TABLED = "mobilenet_v1"
"""The network whose layers the article lists."""
PUZZLE = (("resnet50", Precision.FP32), ("mobilenet_v2", Precision.FP32), ("mobilenet_v2", Precision.INT8))
"""What MCUNet's table has of the networks here."""

_FP32 = BYTES_PER_ELEMENT[Precision.FP32]
_BLOBS_ONLY = tuple(convention for convention in CONVENTIONS if not convention.has_weights)

_INTRODUCTION = """\
How much memory does a network need? On paper there are as many answers as conventions, and figures of
different conventions must not be compared. Here they are side by side, computed from the graphs that ncnn
runs (batch normalisation folded and activations fused, where that can be), for one picture of 224x224. MB are
10^6 bytes, as in the tables that these figures are held against.
"""
_TABLED = """\
The article adds up input, output and weights (without biases) of each layer. It gives no value for pooling.
"""
_PUZZLE = """\
MCUNet's paper prints a table of the memory that these networks need, without stating how it was counted.
Rounded, *block input held* gives what it prints, for int8 as well, where a number takes one byte. MCUNet's
own code gives less for MobileNetV2: it takes the tensor that enters a block for held only where there is a
shortcut, and the largest layer of MobileNetV2 is in a block without one. Storage is weights and biases.
"""
_DEVICES = """\
The devices of MCUNet's table. Where weights are read from flash, memory has to hold the blobs only, and flash
the weights and biases; elsewhere memory holds both. A number says how many times what is there is needed.
"""
_TAKEN = """\
No convention predicts what a process takes. Beside the blobs that are alive an engine holds weights in the
form that its kernels read, the workspace of kernels, and pools that keep what was freed; while it loads, some
weights are held twice.
"""


@dataclass(frozen=True, slots=True)
class _Peaks:
    """What the heap gauge read of a network, in bytes above the floor, with light mode and without."""

    light: int
    heavy: int


def render(graphs: Mapping[str, Graph], measured: MeasurementSet, cases: Sequence[Case]) -> str:
    """The page, as Markdown: `graphs` by network; of `measured` the first of `cases` with each network."""
    lines = [
        "# On paper and in memory",
        "",
        f"Made by {code(COMMAND)}; what is edited here is lost.",
        "",
        _INTRODUCTION,
        *_conventions(graphs),
        *(_tabled(graphs[TABLED]) if TABLED in graphs else ()),
        *_puzzle(graphs),
        *_devices(graphs),
        *_taken(graphs, measured, cases),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _conventions(graphs: Mapping[str, Graph]) -> Iterator[str]:
    yield from ("## Conventions", "")
    rows = [(convention.name, convention.told, convention.source) for convention in CONVENTIONS]
    yield from table(("convention", "counts", "from"), rows, names=3)
    yield from ("In fp32, MB:", "")
    counted = [
        (code(name), *(_mb(convention.count(graph, _FP32)) for convention in CONVENTIONS))
        for name, graph in graphs.items()
    ]
    yield from table(("network", *(convention.name for convention in CONVENTIONS)), counted)


def _tabled(graph: Graph) -> Iterator[str]:
    whole = layer_table(graph, _FP32)
    yield from ("## MobileNet, layer by layer", "", _TABLED)
    runs = [_line(rows) for rows in _runs(whole.rows)]
    yield from table(("layer", "times", "input", "output", "weights", "bytes"), runs)
    yield f"- The layers with weights: {whole.weighted.total:,} bytes. With pooling: {whole.total:,} bytes."
    largest = whole.weighted.largest
    yield f"- The largest layer: {code(largest.label)}, {largest.total:,} bytes."
    yield from (_stride_note(graph), "")


def _runs(rows: Sequence[Row]) -> list[list[Row]]:
    """Layers that repeat are one line, at the place of the first."""
    runs: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        runs.setdefault((row.label, row.total), []).append(row)
    return list(runs.values())


def _line(rows: Sequence[Row]) -> tuple[str, ...]:
    first = rows[0]
    figures = (first.input, first.output, first.weights, first.total)
    return (code(first.label), str(len(rows)), *(f"{figure:,}" for figure in figures))


def _stride_note(graph: Graph) -> str:
    """The last depth-wise layer has stride 1, whatever the article's label says."""
    node = [node for node in graph.nodes if is_depth_wise(node)][-1]
    (channels, height, width) = node.bottom_shapes[0]
    label = layer_table(graph, _FP32).rows[graph.nodes.index(node)].label
    value = with_stride(node, node.layer.integer(3, 1), node.bottom_shapes[0], _FP32)
    halved = with_stride(node, 2, node.bottom_shapes[0], _FP32)
    from_double = with_stride(node, 2, (channels, 2 * height, 2 * width), _FP32)
    return (
        f"- The article labels the last depth-wise layer as one of stride 2. Its value there, {value:,} "
        f"bytes, is that of stride 1, which is what the network has ({code(label)}). Of stride 2 it would "
        f"be {halved:,} bytes on this input, or {from_double:,} on one that gives this output."
    )


def with_stride(node: Node, stride: int, shape: Shape, bytes_per_element: int) -> int:
    """Input + output + weights of a convolution, in bytes, if it had this stride and this input."""
    layer = replace(node.layer, params={**node.layer.params, 3: stride, 13: stride})
    (top,) = infer(layer, (shape,))
    return (elements(shape) + elements(top) + node.weights) * bytes_per_element


def _puzzle(graphs: Mapping[str, Graph]) -> Iterator[str]:
    told = [(name, precision) for name, precision in PUZZLE if name in graphs]
    if not told:
        return
    yield from ("## MCUNet's table", "", _PUZZLE)
    rows = [
        (
            code(f"{name} {precision}"),
            *(
                _mb(convention.count(graphs[name], BYTES_PER_ELEMENT[precision]))
                for convention in _BLOBS_ONLY
            ),
            _mb(conventions.storage(graphs[name], BYTES_PER_ELEMENT[precision])),
        )
        for name, precision in told
    ]
    yield from table(("MB", *(convention.name for convention in _BLOBS_ONLY), "storage"), rows)


def _devices(graphs: Mapping[str, Graph]) -> Iterator[str]:
    yield from ("## Does it fit?", "", _DEVICES)
    for device in DEVICES:
        rows = [
            (code(f"{name} {precision}"), *_fits(device, graph, size))
            for name, graph in graphs.items()
            for precision, size in BYTES_PER_ELEMENT.items()
        ]
        yield from (f"**{device.name}**: {_capacities(device)}.", "")
        if all(cell == "fits" for _, *cells in rows for cell in cells):
            count = len(graphs)
            yield from (f"All {count} networks fit, in every precision and by every convention.", "")
        else:
            header = ("", "storage", *(convention.name for convention in _BLOBS_ONLY))
            yield from table(header, rows)


def _fits(device: Device, graph: Graph, bytes_per_element: int) -> Iterator[str]:
    """Storage first, then memory by each convention."""
    told = [fit(device, graph, convention, bytes_per_element) for convention in _BLOBS_ONLY]
    yield _share(told[0].storage, device.storage)
    yield from (_share(one.memory, device.memory) for one in told)


def _share(needed: int, there: int | None) -> str:
    return "fits" if there is None or needed <= there else f"{needed / there:.1f} x"


def _capacities(device: Device) -> str:
    place = "flash" if device.weights_in_flash else "storage"
    storage = "more storage than any network needs"
    if device.storage is not None:
        storage = f"{_capacity(device.storage)} of {place}"
    return f"{_capacity(device.memory)} of memory, {storage}"


def _capacity(count: int) -> str:
    """A round size in its largest whole unit."""
    units = ("B", "KiB", "MiB", "GiB")
    power = max(power for power in range(len(units)) if count % 1024**power == 0)
    return f"{count // 1024**power} {units[power]}"


def _taken(graphs: Mapping[str, Graph], measured: MeasurementSet, cases: Sequence[Case]) -> Iterator[str]:
    yield from (
        "## What ncnn really takes",
        "",
        _TAKEN,
        f"The peak of gauge {code('heap')} in light mode and without it, ncnn {measured.ncnn}, beside",
        "weights and biases + what three conventions count. In MB, and how many times what is on paper.",
        "",
    )
    header = (
        *("network", "weights", "+ largest input + output", "+ liveness", "light", "/ liveness"),
        *("+ all blobs", "heavy", "/ all blobs"),
    )
    rows = []
    for name, graph in graphs.items():
        peaks = _peaks(name, measured, cases)
        if peaks is not None:
            rows.append((code(name), *_beside(graph, peaks)))
    yield from table(header, rows)
    yield from (f"Machine class: {code(measured.machine.id)}.", "")


def _beside(graph: Graph, peaks: _Peaks) -> Iterator[str]:
    weights = conventions.storage(graph, _FP32)
    plain = weights + conventions.largest_input_and_output(graph, _FP32)
    light = weights + conventions.liveness(graph, _FP32)
    heavy = weights + conventions.all_blobs(graph, _FP32)
    yield from map(_mb, (weights, plain, light, peaks.light))
    yield f"{peaks.light / light:.2f}"
    yield from map(_mb, (heavy, peaks.heavy))
    yield f"{peaks.heavy / heavy:.2f}"


def _peaks(network: str, measured: MeasurementSet, cases: Sequence[Case]) -> _Peaks | None:
    found: dict[str, int] = {}
    for case in (case for case in cases if case.network == network):
        label, measurement = case.label("lightmode"), measured.cases.get(case.id)
        reading = measurement and measurement.readings.get(Gauge.HEAP)
        peak = reading.net_peak(Metric.PEAK) if reading and reading.outcome.ok else None
        if label is not None and peak is not None:
            found.setdefault(label, peak)
    return _Peaks(found["light"], found["heavy"]) if found.keys() >= {"light", "heavy"} else None


def _mb(count: int) -> str:
    return f"{count / 10**6:.3f}"
