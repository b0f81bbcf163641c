"""What is read: exact, by phase, and of the network alone."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from ncnn_peakmem import runtimes
from ncnn_peakmem.measurement import Gauge, Metric, Phase
from ncnn_peakmem.network import Loops, ModelFiles
from ncnn_peakmem.runtimes import Runtime
from tests.probe.conftest import NET, Measure, fake

EXTRACT = "    def create_extractor(self): return Extractor()\n"


GROWING_EXTRACT = """
    kept = []
    def create_extractor(self):
        if {condition}:
            self.kept.append(bytearray(1 << 20))
        return Extractor()
"""


@pytest.mark.parametrize("gauge", Gauge)
def test_every_phase_is_read(measure: Measure, gauge: Gauge) -> None:
    reading = measure(gauge)

    assert reading.outcome.ok
    assert list(reading.phases) == list(Phase)
    assert reading.loops >= Loops().minimum


@pytest.mark.parametrize("gauge", Gauge)
def test_two_probes_read_the_same_bytes(measure: Measure, gauge: Gauge) -> None:
    first, second = measure(gauge), measure(gauge)

    judged = [Metric.PEAK, Metric.LIVE] if gauge is Gauge.HEAP else [Metric.VM_PEAK]
    for phase in Phase:
        for metric in judged:
            assert first.gross(phase, metric) == second.gross(phase, metric), (phase, metric)


def test_heap_counts_what_a_mat_takes(measure: Measure) -> None:
    # 3x32x32 floats, and 4 bytes of reference count; fastMalloc asks for 64 more (src/allocator.h).
    plain = measure(Gauge.HEAP)
    input_bytes = 3 * 32 * 32 * 4 + 4 + 64

    grown = plain.phases[Phase.FIRST][Metric.LIVE] - plain.phases[Phase.LOAD_MODEL][Metric.LIVE]
    assert grown >= input_bytes
    assert plain.phases[Phase.UNLOAD][Metric.LIVE] == 0


def test_phase_peak_is_not_the_peak_of_an_earlier_phase(measure: Measure) -> None:
    heap = measure(Gauge.HEAP)

    assert heap.phases[Phase.LOAD_PARAM][Metric.PEAK] < heap.phases[Phase.LOAD_MODEL][Metric.PEAK]
    assert heap.phases[Phase.UNLOAD][Metric.PEAK] <= heap.phases[Phase.STEADY][Metric.PEAK]


def test_environment_of_the_caller_does_not_matter(measure: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    before = measure(Gauge.PAGES)
    monkeypatch.setenv("PADDING", "x" * 4000)
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    monkeypatch.setenv("PYTHONMALLOC", "malloc")

    after = measure(Gauge.PAGES)
    for phase in Phase:
        for metric in (Metric.VM_PEAK, Metric.RSS_ANON):
            assert after.gross(phase, metric) == before.gross(phase, metric), (phase, metric)


def test_where_files_lie_does_not_matter(measure: Measure, small_model: ModelFiles, tmp_path: Path) -> None:
    before = measure(Gauge.PAGES)
    far = tmp_path / ("far" * 40)
    installed = runtimes.installed()
    for folder in installed.module.parents[1].glob("ncnn*"):
        # The wheel's own libraries lie beside the package.
        shutil.copytree(folder, far / folder.name)
    shutil.copy(small_model.param, far / ("param" * 20))

    after = measure(
        Gauge.PAGES,
        model=dataclasses.replace(small_model, param=far / ("param" * 20)),
        runtime=Runtime(installed.version, far / "ncnn" / installed.module.name),
    )

    for phase in Phase:
        for metric in (Metric.VM_PEAK, Metric.RSS_ANON):
            assert after.gross(phase, metric) == before.gross(phase, metric), (phase, metric)


def test_growth_until_the_maximum_is_told(measure: Measure, tmp_path: Path) -> None:
    body = NET.replace(EXTRACT, GROWING_EXTRACT.format(condition="True"))

    reading = measure(Gauge.PAGES, runtime=fake(tmp_path, body), loops=Loops(minimum=4, maximum=20))

    assert reading.outcome.ok
    assert reading.growing
    assert (reading.loops, reading.settled_at) == (20, 19)


def test_looping_goes_on_while_the_peak_moves(measure: Measure, tmp_path: Path) -> None:
    body = NET.replace(EXTRACT, GROWING_EXTRACT.format(condition="len(self.kept) < 10"))

    reading = measure(Gauge.PAGES, runtime=fake(tmp_path, body), loops=Loops(minimum=4, maximum=100))

    assert not reading.growing
    assert (reading.loops, reading.settled_at) == (20, 9)


def test_resident_peak_is_the_phases_own(measure: Measure, tmp_path: Path) -> None:
    body = NET + "    def load_model(self, reader):\n        bytearray(b'x') * (1 << 24)\n        return 0\n"

    phases = measure(Gauge.DEPLOYED, runtime=fake(tmp_path, body)).phases

    # The kernel's mark of a short peak may be off by some 200 KiB, hence half of what was taken.
    assert phases[Phase.LOAD_MODEL][Metric.VM_HWM] > phases[Phase.LOAD_PARAM][Metric.VM_HWM] + (1 << 23)
    assert phases[Phase.FIRST][Metric.VM_HWM] < phases[Phase.LOAD_MODEL][Metric.VM_HWM] - (1 << 23)


def test_nothing_of_a_loop_is_alive_in_the_next(measure: Measure, tmp_path: Path) -> None:
    counting = """
class Mat:
    outputs = 0
    def __init__(self, *shape):
        self.output = not shape
        Mat.outputs += self.output
    def __del__(self): Mat.outputs -= self.output
    def fill(self, value): pass
    def empty(self): return False
class Extractor:
    alive = 0
    def __init__(self): Extractor.alive += 1
    def __del__(self): Extractor.alive -= 1
    def input(self, name, mat): return 0
    def extract(self, name, mat): return 0
class Net(Net):
    def create_extractor(self):
        if Extractor.alive or Mat.outputs:
            raise RuntimeError(f"{Extractor.alive} extractors, {Mat.outputs} outputs")
        return Extractor()
"""

    assert measure(Gauge.PAGES, runtime=fake(tmp_path, NET + counting)).outcome.cause == ""
