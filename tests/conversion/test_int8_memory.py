"""What int8 files do for memory, on the ncnn that is installed."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ncnn_peakmem import runtimes
from ncnn_peakmem.case import Case, OptionChoice, Precision
from ncnn_peakmem.conversion import Cache, convert
from ncnn_peakmem.measurement import Gauge, Metric, Phase, Reading
from ncnn_peakmem.network import BuiltIn, Network
from ncnn_peakmem.probe import Conditions
from ncnn_peakmem.run import read_gauges

pytestmark = pytest.mark.slow
BUSY = (Phase.LOAD_MODEL, Phase.FIRST, Phase.STEADY)


def readings(topology: str, precision: Precision, **flags: bool) -> Mapping[Gauge, Reading]:
    network = Network(topology, BuiltIn(topology))
    model = convert(network, Cache(), print, precision=precision)
    options = tuple(OptionChoice(name, name, {name: value}) for name, value in flags.items())
    case = Case(topology, precision, options)
    gauges = (Gauge.HEAP, Gauge.PAGES)
    return read_gauges(gauges, runtimes.installed(), case, model, network.loops, Conditions())


def test_mobilenet_takes_less_in_every_phase() -> None:
    fp32, int8 = (readings("mobilenet_v1", precision) for precision in (Precision.FP32, Precision.INT8))

    for phase in BUSY:
        for gauge, metric in (
            (Gauge.HEAP, Metric.PEAK),
            (Gauge.HEAP, Metric.LIVE),
            (Gauge.PAGES, Metric.VM_PEAK),
        ):
            least, most = int8[gauge].net(phase, metric), fp32[gauge].net(phase, metric)
            assert least is not None
            assert most is not None
            assert least < 0.7 * most, (gauge, phase, metric)


def test_mobilenets_file_is_a_quarter() -> None:
    model = convert(
        Network("mobilenet_v1", BuiltIn("mobilenet_v1")), Cache(), print, precision=Precision.INT8
    )
    assert model.bin is not None
    assert 4_200_000 < model.bin.stat().st_size < 4_400_000


def test_without_winograd43_resnet18_loads_with_a_fraction() -> None:
    loads = [
        readings("resnet18", Precision.INT8, **flags)[Gauge.HEAP].net(Phase.LOAD_MODEL, Metric.PEAK)
        for flags in ({}, {"use_winograd43_convolution": False}, {"use_winograd_convolution": False})
    ]
    as_it_is, without_43, without_any = (load or 0 for load in loads)
    assert as_it_is > 3 * without_43 > 3 * without_any > 0
