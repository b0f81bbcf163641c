"""What the option flags really change: the article's claims, as comparisons that can fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fixtures.suite import Suite
from ncnn_peakmem import param_file
from ncnn_peakmem.case import Case
from ncnn_peakmem.conversion import convert
from ncnn_peakmem.gate import Gate
from ncnn_peakmem.measurement import Gauge, Measurement, Metric, Phase, Reading

Pair = tuple[Case, Case]

WEIGHT_DATA_SIZE = 2
"""InnerProduct's parameter that counts its weights (src/layer/innerproduct.cpp)."""


@pytest.fixture
def readings(
    pair: Pair, memory_probe: Callable[[Case], Measurement]
) -> Callable[[Gauge], tuple[Reading, Reading]]:
    """Both cases of the pair as one gauge read them; skipped where one of them has no figures."""

    def read(gauge: Gauge) -> tuple[Reading, Reading]:
        first, second = (memory_probe(case) for case in pair)
        for measured in (first, second):
            if gauge not in measured.readings:
                pytest.skip(f"gauge {gauge} is not measured in this run")
            if not measured.readings[gauge].outcome.ok:
                pytest.skip(f"{measured.case} has no figures: {measured.readings[gauge].outcome.cause}")
        return first.readings[gauge], second.readings[gauge]

    return read


@pytest.mark.peakmem_pair("lightmode", "light", "heavy")
def test_light_mode_lowers_the_peak(readings: Callable[[Gauge], tuple[Reading, Reading]]) -> None:
    """Blobs are released as soon as their last reader has run, and weights as soon as they are packed."""
    light, heavy = readings(Gauge.HEAP)
    assert light.phases[Phase.STEADY][Metric.PEAK] < heavy.phases[Phase.STEADY][Metric.PEAK]

    light, heavy = readings(Gauge.PAGES)
    assert light.phases[Phase.STEADY][Metric.VM_PEAK] < heavy.phases[Phase.STEADY][Metric.VM_PEAK]


@pytest.mark.peakmem_pair("fp16", "half", "single")
def test_fp16_flags_only_shrink_inner_product_weights(
    pair: Pair, readings: Callable[[Gauge], tuple[Reading, Reading]], suite: Suite, build: Gate
) -> None:
    """On x86 no blob is ever held in fp16: two bytes per InnerProduct weight are all that the flags save."""
    machine = build.run.machine
    if "f16c" not in machine.isa:
        pytest.skip(f"says something of x86 with f16c, not of {machine.id}")
    half, single = readings(Gauge.HEAP)
    model = convert(suite.catalog.networks[pair[0].network], build.run.cache)
    layers = param_file.read(model.param).layers
    weights = sum(
        int(str(layer.params[WEIGHT_DATA_SIZE])) for layer in layers if layer.type == "InnerProduct"
    )

    for phase in (Phase.LOAD_MODEL, Phase.FIRST, Phase.STEADY):
        saved = single.phases[phase][Metric.LIVE] - half.phases[phase][Metric.LIVE]
        assert saved == 2 * weights, phase


@pytest.mark.peakmem_pair("int8", "q8", "plain")
def test_int8_flags_change_nothing_in_a_float_model(
    readings: Callable[[Gauge], tuple[Reading, Reading]],
) -> None:
    """The flags act on int8 weights only: every figure of the heap is the same, to the byte."""
    q8, plain = readings(Gauge.HEAP)
    assert q8.phases == plain.phases
