"""What the gauges read agrees with tools that know nothing of them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ncnn_peakmem import runtimes
from ncnn_peakmem.conversion import Cache, convert
from ncnn_peakmem.measurement import Gauge, Metric
from ncnn_peakmem.network import BuiltIn, Loops, ModelFiles, Network
from ncnn_peakmem.probe import Conditions, Job, probe
from ncnn_peakmem.probe.controls import PAGE_GRANULAR_MALLOC

NETWORKS = ("mobilenet_v1", "mobilenet_v2", "resnet18")
LOOPS = Loops(minimum=12, maximum=12)

SCRIPT = """
import sys
folder, param, weights, loops = sys.argv[1:]
sys.path.insert(0, folder)
import ncnn
net = ncnn.Net()
net.opt.num_threads = 1
assert net.load_param(param) == 0 and net.load_model(weights) == 0
image = ncnn.Mat(224, 224, 3)
image.fill(0.5)
for _ in range(int(loops)):
    extractor, output = net.create_extractor(), ncnn.Mat()
    assert extractor.input("in0", image) == 0 and extractor.extract("out0", output) == 0
    del extractor, output
print(open("/proc/self/status").read())
"""

pytestmark = pytest.mark.slow


@pytest.fixture(params=NETWORKS)
def model(request: pytest.FixtureRequest) -> ModelFiles:
    return convert(Network(request.param, BuiltIn(request.param)), Cache())


def command(model: ModelFiles, loops: int) -> list[str]:
    folder = str(runtimes.installed().module.parent)
    interpreter = str(getattr(sys, "_base_executable", sys.executable))
    arguments = [folder, str(model.param), str(model.bin), str(loops)]
    return [interpreter, "-I", "-S", "-B", "-X", "utf8", "-c", SCRIPT, *arguments]


def job(model: ModelFiles) -> Job:
    return Job(runtimes.installed(), model, {})


def test_process_figures_are_those_of_a_plain_script(model: ModelFiles) -> None:
    reading = probe(Gauge.PAGES, job(model), LOOPS, Conditions())
    environment = {"OMP_NUM_THREADS": "1", "GLIBC_TUNABLES": PAGE_GRANULAR_MALLOC}
    status = subprocess.run(
        command(model, LOOPS.minimum), env=environment, capture_output=True, text=True, check=True
    ).stdout

    def shown(field: str) -> int:
        match = re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
        assert match is not None
        return int(match.group(1)) * 1024

    assert reading.peak(Metric.VM_PEAK) == pytest.approx(shown("VmPeak"), rel=0.01)
    assert reading.peak(Metric.VM_HWM) == pytest.approx(shown("VmHWM"), rel=0.01)


@pytest.mark.skipif(shutil.which("heaptrack") is None, reason="heaptrack is not installed")
def test_heap_peak_is_heaptracks(model: ModelFiles, heaptrack_peak: Callable[[list[str]], float]) -> None:
    reading = probe(Gauge.HEAP, job(model), LOOPS, Conditions())
    interpreter, *flags = command(model, LOOPS.minimum)
    importing = [
        interpreter,
        *flags[:-5],
        "import sys; sys.path.insert(0, sys.argv[1]); import ncnn",
        flags[-4],
    ]

    # heaptrack counts the interpreter's own heap as well.
    theirs = heaptrack_peak([interpreter, *flags]) - heaptrack_peak(importing)

    assert reading.peak(Metric.PEAK) == pytest.approx(theirs, rel=0.01)


@pytest.fixture
def heaptrack_peak(tmp_path: Path) -> Callable[[list[str]], float]:
    units = {"B": 1, "K": 1e3, "M": 1e6, "G": 1e9}

    def peak(traced: list[str]) -> float:
        output = tmp_path / "heaptrack"
        subprocess.run(["heaptrack", "-o", str(output), *traced], capture_output=True, check=True)
        (trace,) = tmp_path.glob("heaptrack*")
        told = subprocess.run(
            ["heaptrack_print", str(trace)], capture_output=True, text=True, check=True
        ).stdout
        trace.unlink()
        match = re.search(r"peak heap memory consumption: ([\d.]+)([BKMG])", told)
        assert match is not None
        return float(match.group(1)) * units[match.group(2)]

    return peak
