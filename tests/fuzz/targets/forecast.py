"""A network drawn from bytes: its peak foretold, with parts that sum to it, or GraphError or NotForecast."""

from __future__ import annotations

from packaging.version import Version

from ncnn_peakmem.forecast import Library, NotForecast, Setting
from ncnn_peakmem.forecast.cookbook import Cookbook
from ncnn_peakmem.forecast.engine import forecast
from ncnn_peakmem.graph import GraphError, build
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import Metric
from ncnn_peakmem.network import Loops
from ncnn_peakmem.param_file import ParamFileError
from tests.fuzz.drawing import Drawing

TOKENS: tuple[str, ...] = ()

_MACHINES = (
    MachineClass("x86_64", ("avx512", "avx2", "f16c"), 1 << 20, 2, 4096, "glibc2.36"),
    MachineClass("aarch64", ("asimd",), 1 << 18, 4, 4096, "glibc2.36"),
)
_RELEASES = tuple(map(Version, ("1.0.20261020", "1.0.20221128")))
_OPTIONS = ("lightmode", "use_packing_layout", "use_fp16_storage", "use_winograd_convolution")
_LEARNED = {release: Library().nearest(_MACHINES[0].id, release)[0] for release in _RELEASES}


def one_input(data: bytes) -> None:
    """Forecast under options drawn as well."""
    drawing = Drawing(data)
    release, machine = drawing.one_of(_RELEASES), drawing.one_of(_MACHINES)
    options = drawing.byte()
    flags = {name: bool(options >> place & 1) for place, name in enumerate(_OPTIONS)}
    setting = Setting(machine, release, flags, 1 + drawing.byte() % 4)
    network, inputs = drawing.network()
    try:
        told = forecast(network, build(network, inputs), Cookbook(_LEARNED[release], setting), Loops())
    except (GraphError, NotForecast, ParamFileError):
        return
    for split in (told.peak, told.load):
        assert sum(part.bytes for part in split.parts) == split.bytes
    assert told.peak.bytes == max(metrics[Metric.PEAK] for metrics in told.phases.values())
    assert 0 <= told.lower_bound <= told.peak.bytes
