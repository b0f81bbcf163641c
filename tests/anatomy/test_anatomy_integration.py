"""Real networks, real releases: every peak is split to the byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ncnn_peakmem import catalog, runtimes
from ncnn_peakmem.anatomy.attribution import Attribution
from ncnn_peakmem.anatomy.bridge import bridge
from ncnn_peakmem.anatomy.difference import difference
from ncnn_peakmem.anatomy.dissection import dissect, explain
from ncnn_peakmem.anatomy.part import Kind
from ncnn_peakmem.anatomy.share import OUTPUT_COPY
from ncnn_peakmem.conversion import Cache, convert
from ncnn_peakmem.measurement import Gauge, Metric, OutcomeKind
from ncnn_peakmem.network import BuiltIn, InputBlob, Loops, ModelFiles, Network
from ncnn_peakmem.probe import Conditions, Job, probe
from ncnn_peakmem.runtimes import Runtime

OLDEST, NEWEST = "20221128", "20261020"
MATRIX = [
    (network, light, release)
    for network in (
        "alexnet",
        "densenet161",
        "googlenet",
        "mobilenet_v1",
        "mobilenet_v2",
        "resnet18",
        "resnet50",
        "shufflenet_v2",
        "vgg16",
    )
    for light in (True, False)
    for release in (OLDEST, NEWEST)
]
ALWAYS = [
    ("mobilenet_v1", True, NEWEST),
    ("mobilenet_v1", False, OLDEST),
    ("resnet18", True, OLDEST),
    ("shufflenet_v2", False, OLDEST),
]
SHIPPED = Path(__file__).parents[2] / "models.yaml"


def build(release: str) -> Runtime:
    return runtimes.installed() if release == NEWEST else runtimes.from_release(release, Cache().root)


Explained = tuple[Attribution, int]


@pytest.fixture(scope="module")
def explained() -> Callable[..., Explained]:
    """Attributes a built-in network, and gives the heap gauge's peak besides."""

    def run(network: str, light: bool, release: str, loops: Loops | None = None) -> Explained:
        cache = Cache()
        runtime = build(release)
        loops = loops or catalog.load(SHIPPED).network(network).loops
        job = Job(runtime, convert(Network(network, BuiltIn(network)), cache), {"lightmode": light})
        heap = probe(Gauge.HEAP, job, loops, Conditions())
        peak = heap.peak(Metric.PEAK)
        assert peak is not None
        return explain(job, heap, Conditions()), peak

    return run


def param(trial: tuple[str, bool, str]) -> object:
    network, light, release = trial
    marks = [] if release == NEWEST else [pytest.mark.network]
    return pytest.param(trial, id=f"{network}-{'light' if light else 'heavy'}-{release}", marks=marks)


def assert_explained(attribution: Attribution, peak: int) -> None:
    assert attribution.peak.bytes == peak
    assert sum(part.bytes for part in attribution.peak.parts) == peak
    assert sum(part.bytes for part in attribution.load.parts) == attribution.load.bytes
    assert attribution.peak.of(Kind.OTHER) < 0.01 * peak
    assert attribution.notes == ()
    assert all(part.layer for part in attribution.peak.parts if part.kind is not Kind.OTHER)


@pytest.mark.parametrize("trial", [param(trial) for trial in ALWAYS])
def test_peak_is_split_to_the_byte(trial: tuple[str, bool, str], explained: Callable[..., Explained]) -> None:
    assert_explained(*explained(*trial, loops=Loops(12, 12)))


@pytest.mark.exhaustive
@pytest.mark.parametrize("trial", [param(trial) for trial in MATRIX])
def test_every_network_is_split_to_the_byte(
    trial: tuple[str, bool, str],
    explained: Callable[..., Explained],
    record_property: Callable[[str, object], None],
) -> None:
    attribution, peak = explained(*trial)

    record_property("peak", peak)
    record_property("moment", str(attribution.peak.moment))
    for kind in Kind:
        record_property(kind.value, attribution.peak.of(kind))
    assert_explained(attribution, peak)


def test_figures_of_mobilenet(explained: Callable[..., Explained]) -> None:
    attribution, _ = explained("mobilenet_v1", True, NEWEST, Loops(12, 12))
    peak = attribution.peak
    copied = sum(part.bytes for part in peak.parts if part.note == OUTPUT_COPY)

    # Its weights take the same on every machine that keeps fc's in half precision.
    assert peak.of(Kind.WEIGHTS) == 14_840_576
    assert peak.of(Kind.INPUT) == 3 * 224 * 224 * 4 + 4 + 64
    assert copied == 1000 * 4 + 4 + 64
    assert peak.moment.title == "dwconv 3x3 s2 64", "where 112x112x64 is padded for stride 2"
    assert peak.of(Kind.LIVE_BLOB) - copied == 64 * 112 * 112 * 4 + 4 + 64
    assert attribution.load.moment.title == "fc 1024->1000"
    assert attribution.load.of(Kind.HELD_TWICE) == 1024 * 1000 * 4 + 4 + 64


def test_heavy_holds_the_weights_as_read_besides(explained: Callable[..., Explained]) -> None:
    light, _ = explained("mobilenet_v1", True, NEWEST, Loops(2, 2))
    heavy, _ = explained("mobilenet_v1", False, NEWEST, Loops(2, 2))

    assert heavy.peak.of(Kind.WEIGHTS) == light.peak.of(Kind.WEIGHTS)
    assert light.peak.of(Kind.HELD_TWICE) == 0
    assert heavy.peak.of(Kind.HELD_TWICE) > 16_000_000
    grown = difference(heavy.peak, light.peak)
    assert grown[0].kind in {Kind.HELD_TWICE, Kind.LIVE_BLOB}
    assert sum(growth.bytes for growth in grown) == heavy.peak.bytes - light.peak.bytes


def test_bridge_from_paper_to_vm_peak_adds_up() -> None:
    job = Job(runtimes.installed(), convert(Network("mobilenet_v1", BuiltIn("mobilenet_v1")), Cache()), {})
    loops = Loops(2, 2)
    heap = probe(Gauge.HEAP, job, loops, Conditions())
    pages = probe(Gauge.PAGES, job, loops, Conditions())

    found = dissect(job, heap, Conditions())
    steps = bridge(found.attribution.peak, found.rows, pages)

    # The largest row of the article's table: 112x112x32 read, 112x112x64 made, 64x32 weights.
    assert steps[0].bytes == 4_825_088
    total = 0
    for step in steps:
        if step.is_sum:
            assert step.bytes == total, step.text
        else:
            total += step.bytes
    assert [step.bytes for step in steps if step.is_sum] == [
        heap.peak(Metric.PEAK),
        pages.net_peak(Metric.VM_PEAK),
        pages.peak(Metric.VM_PEAK),
    ]
    assert len(found.rows) == 29
    assert max(row.running_peak for row in found.rows) == found.attribution.peak.bytes - (1000 * 4 + 4 + 64)
    assert all(saving.peak <= found.attribution.peak.bytes for saving in found.savings)


@pytest.mark.parametrize(
    ("layer", "weights_bytes"), [("conv1", 432 * 4), ("conv2", 4608 * 4), ("fc", 81920 * 4)]
)
def test_layer_that_takes_more_while_loading_is_named(
    holding: Callable[..., Runtime], small_model: ModelFiles, layer: str, weights_bytes: int
) -> None:
    def run(runtime: Runtime) -> Attribution:
        job = Job(runtime, small_model, {})
        return explain(job, probe(Gauge.HEAP, job, Loops(2, 2), Conditions()), Conditions())

    new, old = run(holding(weights_bytes)), run(runtimes.installed())

    (growth,) = difference(new.peak, old.peak)
    assert growth.layer == layer
    assert growth.kind in {Kind.HELD_TWICE, Kind.OTHER}
    assert growth.bytes == (1 << 18) + 4 + 64
    assert difference(new.load, old.load)[0].layer == layer


def test_what_a_layer_takes_in_passing_moves_the_load_peak_alone(
    holding: Callable[..., Runtime], small_model: ModelFiles
) -> None:
    def run(runtime: Runtime) -> Attribution:
        job = Job(runtime, small_model, {})
        return explain(job, probe(Gauge.HEAP, job, Loops(2, 2), Conditions()), Conditions())

    new, old = run(holding(81920 * 4, passing=True)), run(runtimes.installed())

    assert new.peak == old.peak
    assert {growth.layer for growth in difference(new.load, old.load)} == {"fc"}
    assert new.load.moment.layer == "fc"
    assert any(part.kind is Kind.HELD_TWICE and part.bytes == (1 << 18) + 4 + 64 for part in new.load.parts)


ATTENTION = """\
7767517
3 3
Input               data 0 1 data 0=64 1=32
MultiHeadAttention  mha  1 1 data a 0=64 1=4 2=4096
InnerProduct        fc   1 1 a out 0=10 1=1 2=640
"""


@pytest.mark.parametrize("release", [pytest.param("20240820", marks=pytest.mark.network), NEWEST])
def test_layers_that_allocate_in_workers_are_split_with_one_thread(tmp_path: Path, release: str) -> None:
    # Python allocators and two threads would deadlock here on releases before 20261020.
    param = tmp_path / "attention.param"
    param.write_text(ATTENTION)
    model = ModelFiles(param, None, (InputBlob("data", (32, 64)),), ("out",), "attention")
    job = Job(build(release), model, {}, threads=2)
    heap = probe(Gauge.HEAP, job, Loops(2, 2), Conditions(step_timeout_seconds=20))
    assert heap.outcome.kind is OutcomeKind.OK

    attribution = explain(job, heap, Conditions(step_timeout_seconds=20))

    assert attribution.notes[0] == "split with one thread; the case has 2"
    assert not any("not split by layer" in note for note in attribution.notes)
    assert sum(part.bytes for part in attribution.peak.parts) == attribution.peak.bytes
