"""The tables that people write on paper, computed from the graphs, and what ncnn really takes beside them.

docs/accounting.md has the tables of all networks.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fixtures.suite import Suite
from ncnn_peakmem.accounting import BYTES_PER_ELEMENT, CONVENTIONS, DEVICES, Device, conventions, fit
from ncnn_peakmem.accounting.layer_table import LayerTable, layer_table
from ncnn_peakmem.case import Case, Precision
from ncnn_peakmem.conversion import Cache, convert
from ncnn_peakmem.gate import Gate
from ncnn_peakmem.graph import Graph, GraphError, read
from ncnn_peakmem.graph.label import is_depth_wise
from ncnn_peakmem.measurement import Gauge, Measurement, Metric
from ncnn_peakmem.network import BuiltIn
from ncnn_peakmem.reports.accounting import with_stride

FP32 = BYTES_PER_ELEMENT[Precision.FP32]

ARTICLE_ROWS = {
    "conv 3x3x3x32 s2": (1, 2_211_200),
    "dw 3x3x32": (1, 3_212_416),
    "conv 1x1x32x64": (1, 4_825_088),
    "dw 3x3x64 s2": (1, 4_016_384),
    "conv 1x1x64x128": (1, 2_441_216),
    "dw 3x3x128": (1, 3_215_872),
    "conv 1x1x128x128": (1, 3_276_800),
    "dw 3x3x128 s2": (1, 2_011_648),
    "conv 1x1x128x256": (1, 1_335_296),
    "dw 3x3x256": (1, 1_614_848),
    "conv 1x1x256x256": (1, 1_867_776),
    "dw 3x3x256 s2": (1, 1_012_736),
    "conv 1x1x256x512": (1, 1_126_400),
    "dw 3x3x512": (5, 821_248),
    "conv 1x1x512x512": (5, 1_851_392),
    "dw 3x3x512 s2": (1, 520_192),
    "conv 1x1x512x1024": (1, 2_398_208),
    "dw 3x3x1024": (1, 438_272),
    "conv 1x1x1024x1024": (1, 4_595_712),
    "fc 1024x1000": (1, 4_104_096),
}
"""The article's table of MobileNet: how often a layer occurs, and its bytes."""

FITS = {"V100": True, "iPhone 11": True, "STM32F746": False}
"""Whether the built-in networks fit the devices of MCUNet's table."""


@pytest.fixture
def built_in(suite: Suite) -> Callable[[str], Graph]:
    """The graph of a built-in network, if models.yaml has it by its own name; else the test is skipped."""

    def graph(name: str) -> Graph:
        if not is_built_in(suite, name):
            pytest.skip(
                f"{suite.catalog.path.name} does not have {name} as the built-in network of that name"
            )
        return graph_of(suite, name)

    return graph


@pytest.fixture
def mobilenet(built_in: Callable[[str], Graph]) -> LayerTable:
    """The layers of MobileNet in fp32."""
    return layer_table(built_in("mobilenet_v1"), FP32)


def is_built_in(suite: Suite, name: str) -> bool:
    """Whether models.yaml has the built-in topology of that name: only of these are figures known."""
    network = suite.catalog.networks.get(name)
    source = network.source if network else None
    return isinstance(source, BuiltIn) and source.topology == name


def graph_of(suite: Suite, name: str) -> Graph:
    """The graph of a network of models.yaml; skipped where it has layers that are not known here."""
    model = convert(suite.catalog.networks[name], Cache(suite.settings.cache_dir))
    try:
        return read(model)
    except GraphError as error:
        pytest.skip(f"cannot be counted on paper: {error}")


@pytest.mark.parametrize("label", ARTICLE_ROWS)
def test_layer_of_mobilenet_is_the_articles(mobilenet: LayerTable, label: str) -> None:
    """Input + output + weights, without biases: every value that the article gives is exact."""
    count, expected = ARTICLE_ROWS[label]
    assert [row.total for row in mobilenet.rows if row.label == label] == [expected] * count


def test_mobilenet_sums_up_to_the_articles_figures(mobilenet: LayerTable) -> None:
    """About 57 MB in sum, 4.8 MB in the largest layer; pooling, which has no value there, is left out."""
    assert mobilenet.weighted.total == 57_587_360
    assert mobilenet.weighted.largest.total == 4_825_088
    assert {row.label for row in mobilenet.weighted.rows} == set(ARTICLE_ROWS)
    (pooling,) = (row for row in mobilenet.rows if not row.weights)
    assert pooling.total == 204_800


def test_last_depth_wise_layer_of_mobilenet_has_stride_1(built_in: Callable[[str], Graph]) -> None:
    """The article labels it `dw/s2 3x3x1024`, yet gives the value of stride 1, which the network has.

    Stride 2 would give other values, whether it is read from this layer's input or towards its output.
    """
    node = [node for node in built_in("mobilenet_v1").nodes if is_depth_wise(node)][-1]
    shape = node.bottom_shapes[0]

    assert node.top_shapes == (shape,) == ((1024, 7, 7),)
    assert with_stride(node, 1, shape, FP32) == 438_272
    assert with_stride(node, 2, shape, FP32) == 303_104
    assert with_stride(node, 2, (1024, 14, 14), FP32) == 1_040_384


@pytest.mark.parametrize(
    ("name", "precision", "printed", "exact"),
    [
        ("resnet50", Precision.FP32, 7.2, 7_225_344),
        ("mobilenet_v2", Precision.FP32, 6.8, 6_823_936),
        ("mobilenet_v2", Precision.INT8, 1.7, 1_705_984),
    ],
)
def test_mcunets_table_holds_the_input_of_a_block(
    built_in: Callable[[str], Graph], name: str, precision: Precision, printed: float, exact: int
) -> None:
    """What MCUNet's paper prints in MB, which the article could not reproduce."""
    counted = conventions.block_input_held(built_in(name), BYTES_PER_ELEMENT[precision])

    assert counted == exact
    assert round(counted / 10**6, 1) == printed


@pytest.mark.parametrize(("precision", "counted"), [(Precision.FP32, 6_021_120), (Precision.INT8, 1_505_280)])
def test_mcunets_code_does_not_give_mcunets_table(
    built_in: Callable[[str], Graph], precision: Precision, counted: int
) -> None:
    """For MobileNetV2 its own convention gives what plain input + output does."""
    graph, size = built_in("mobilenet_v2"), BYTES_PER_ELEMENT[precision]

    assert conventions.mcunet_code(graph, size) == counted
    assert conventions.largest_input_and_output(graph, size) == counted


@pytest.mark.parametrize(
    ("name", "precision", "printed"),
    [
        ("resnet50", Precision.FP32, 102),
        ("mobilenet_v2", Precision.FP32, 13.6),
        ("mobilenet_v2", Precision.INT8, 3.4),
    ],
)
def test_mcunets_table_has_the_weights_for_storage(
    built_in: Callable[[str], Graph], name: str, precision: Precision, printed: float
) -> None:
    """In MB, to within the rounding of parameter counts: MobileNetV2's 13.6 is 3.4 million times four."""
    stored = conventions.storage(built_in(name), BYTES_PER_ELEMENT[precision])

    assert stored / 10**6 == pytest.approx(printed, rel=0.03)


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
@pytest.mark.peakmem_choice("lightmode", "light")
def test_device_table(
    network_case: Case,
    built_in: Callable[[str], Graph],
    device: Device,
    record_property: Callable[[str, object], None],
) -> None:
    """A server and a phone take every network; a microcontroller none, not even its blobs alone in int8."""
    graph = built_in(network_case.network)
    blobs_only = [convention for convention in CONVENTIONS if not convention.has_weights]

    for precision, size in BYTES_PER_ELEMENT.items():
        for convention in blobs_only:
            found = fit(device, graph, convention, size)
            record_property(f"{convention.count.__name__}_{precision}_bytes", found.memory)
            assert found.fits is FITS[device.name], (precision, convention.name)
            assert found.in_memory is FITS[device.name], (precision, convention.name)


@pytest.mark.peakmem_choice("lightmode", "light")
def test_conventions_count_any_network(
    network_case: Case, suite: Suite, record_property: Callable[[str, object], None]
) -> None:
    """Also a network of yours; what is alive at one time is within all that there ever is."""
    graph = graph_of(suite, network_case.network)
    size = BYTES_PER_ELEMENT[network_case.precision]
    for convention in CONVENTIONS:
        record_property(f"{convention.count.__name__}_bytes", convention.count(graph, size))

    assert 0 < conventions.liveness(graph, size) <= conventions.all_blobs(graph, size)
    assert conventions.largest_layer(graph, size) <= conventions.layer_sum(graph, size)


@pytest.fixture
def heap_peak(
    network_case: Case,
    suite: Suite,
    build: Gate,
    memory_probe: Callable[[Case], Measurement],
    record_property: Callable[[str, object], None],
) -> int:
    """What ncnn really takes, in bytes, recorded for JUnit; skipped where nothing is known of it."""
    if network_case.precision is not Precision.FP32 or not is_built_in(suite, network_case.network):
        pytest.skip("says something of the built-in networks in fp32")
    if build.run.machine.architecture != "x86_64":
        pytest.skip(f"says something of x86, which holds blobs in fp32, not of {build.run.machine.id}")
    if Gauge.HEAP not in build.run.gauges:
        pytest.skip("gauge heap is not measured in this run")
    reading = memory_probe(network_case).readings[Gauge.HEAP]
    if not reading.outcome.ok:
        pytest.skip(f"{network_case.id} has no figures: {reading.outcome.cause}")
    peak = reading.net_peak(Metric.PEAK) or 0
    record_property("heap_peak_bytes", peak)
    return peak


@pytest.mark.peakmem_choice("lightmode", "light")
def test_light_mode_takes_more_than_conventions_say(
    network_case: Case, suite: Suite, heap_peak: int, record_property: Callable[[str, object], None]
) -> None:
    """Even with all weights and biases added: none of them knows of packed copies, workspace and pools."""
    graph = graph_of(suite, network_case.network)
    for count in (
        conventions.largest_input_and_output,
        conventions.mcunet_code,
        conventions.block_input_held,
        conventions.liveness,
    ):
        on_paper = conventions.storage(graph, FP32) + count(graph, FP32)
        record_property(f"{count.__name__}_and_weights_bytes", on_paper)
        assert on_paper < heap_peak, count.__name__


@pytest.mark.peakmem_choice("lightmode", "heavy")
def test_all_blobs_and_weights_are_less_than_ncnn_takes_without_light_mode(
    network_case: Case, suite: Suite, heap_peak: int, record_property: Callable[[str, object], None]
) -> None:
    """The most generous convention is too small as well."""
    graph = graph_of(suite, network_case.network)
    on_paper = conventions.storage(graph, FP32) + conventions.all_blobs(graph, FP32)
    record_property("all_blobs_and_weights_bytes", on_paper)
    assert on_paper < heap_peak
