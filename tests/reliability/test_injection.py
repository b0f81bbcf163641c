"""A build that holds more than the one it wraps, from a phase on."""

from __future__ import annotations

from pathlib import Path

import pytest

from ncnn_peakmem import runtimes
from ncnn_peakmem.measurement import JUDGED, Gauge, Metric, Phase, Reading
from ncnn_peakmem.network import Loops, ModelFiles
from ncnn_peakmem.probe import Conditions, Job, probe
from ncnn_peakmem.reliability.injection import holding
from ncnn_peakmem.runtimes import Runtime

HELD = 1 << 18
ORDER = list(Phase)


def read(gauge: Gauge, runtime: Runtime, model: ModelFiles) -> Reading:
    reading = probe(gauge, Job(runtime, model, {}), Loops(), Conditions(cpu=0))
    assert reading.outcome.ok, reading.outcome
    return reading


@pytest.mark.parametrize("phase", Phase)
def test_buffer_is_held_from_its_phase_on(small_model: ModelFiles, tmp_path: Path, phase: Phase) -> None:
    installed = runtimes.installed()
    control = read(Gauge.HEAP, holding(installed, None, 0, tmp_path), small_model)
    held = read(Gauge.HEAP, holding(installed, phase, HELD, tmp_path), small_model)

    more = {at: held.phases[at][Metric.LIVE] - control.phases[at][Metric.LIVE] for at in Phase}
    given_back = () if phase in {Phase.IMPORT, Phase.UNLOAD} else (Phase.UNLOAD,)
    expected = set(ORDER[ORDER.index(phase) :]) - set(given_back)
    assert {at for at, count in more.items() if count} == expected
    assert all(HELD < more[at] <= HELD + 128 for at in expected)


def test_buffer_is_written_all_over(small_model: ModelFiles, tmp_path: Path) -> None:
    installed = runtimes.installed()
    control = read(Gauge.PAGES, holding(installed, None, 0, tmp_path), small_model)
    held = read(Gauge.PAGES, holding(installed, Phase.LOAD_MODEL, HELD, tmp_path), small_model)

    for metric in JUDGED[Gauge.PAGES]:
        net, before = held.net(Phase.STEADY, metric), control.net(Phase.STEADY, metric)
        assert net is not None
        assert before is not None
        assert abs(net - before - HELD) <= 4 * 4096


@pytest.mark.parametrize("gauge", [Gauge.HEAP, Gauge.PAGES])
def test_control_is_the_bare_build_above_its_floor(
    small_model: ModelFiles, tmp_path: Path, gauge: Gauge
) -> None:
    installed = runtimes.installed()
    bare = read(gauge, installed, small_model)
    control = read(gauge, holding(installed, Phase.STEADY, 0, tmp_path), small_model)

    slack = 0 if gauge is Gauge.HEAP else 3 * 4096
    for metric in JUDGED[gauge]:
        assert abs((control.net_peak(metric) or 0) - (bare.net_peak(metric) or 0)) <= slack


def test_stand_ins_differ_in_nothing_but_what_they_hold(tmp_path: Path) -> None:
    installed = runtimes.installed()
    made = [
        holding(installed, phase, size, tmp_path)
        for phase in (None, Phase.LOAD_MODEL)
        for size in (0, 512, 4 << 20)
    ]

    assert len({runtime.module for runtime in made}) == 6
    assert len({len(runtime.module.read_bytes()) for runtime in made}) == 1
    assert {runtime.version for runtime in made} == {installed.version}


def test_stand_in_may_wrap_a_stand_in(small_model: ModelFiles, tmp_path: Path) -> None:
    inner = holding(runtimes.installed(), Phase.LOAD_MODEL, HELD, tmp_path)
    outer = holding(inner, Phase.LOAD_MODEL, HELD, tmp_path)
    one = read(Gauge.HEAP, inner, small_model).net(Phase.STEADY, Metric.LIVE) or 0
    two = read(Gauge.HEAP, outer, small_model).net(Phase.STEADY, Metric.LIVE) or 0

    assert HELD < two - one <= HELD + 128


def test_same_stand_in_is_the_same_file_again(tmp_path: Path) -> None:
    first = holding(runtimes.installed(), Phase.FIRST, 512, tmp_path)
    first.module.write_text("torn")
    again = holding(runtimes.installed(), Phase.FIRST, 512, tmp_path)

    assert again == first
    assert "BYTES" in again.module.read_text()
