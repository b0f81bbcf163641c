"""The kernel tells little of itself: /proc and sysfs are closed, bare or not there."""

from __future__ import annotations

import pytest

from ncnn_peakmem import machine
from ncnn_peakmem.measurement import Caveat, Gauge, Metric, OutcomeKind, Phase, Reading
from tests.faults.conftest import Elsewhere, Measure, as_nobody, in_namespace


def assert_same_figures(here: Reading, there: Reading) -> None:
    assert there.outcome.ok, there.outcome
    if Metric.PEAK in here.phases[Phase.IMPORT]:
        assert there.phases == here.phases
    for phase, metrics in here.phases.items():
        assert there.phases[phase].get(Metric.VM_PEAK) == metrics.get(Metric.VM_PEAK), phase
        anonymous = there.phases[phase].get(Metric.RSS_ANON, 0) - metrics.get(Metric.RSS_ANON, 0)
        # It is another session's child: the gate's own tolerance is as much.
        assert abs(anonymous) <= 16 * 1024, phase


@pytest.mark.fault(
    "/proc with `hidepid=2`, as an unprivileged user", "measured as ever, with the same figures"
)
def test_hidepid(measure: Measure, elsewhere: Elsewhere) -> None:
    wrapper = as_nobody("mount -t proc -o hidepid=2 proc /proc")

    there = elsewhere(Gauge.HEAP, Gauge.PAGES, wrapper=wrapper)

    assert there.caveats == ()
    for gauge in (Gauge.HEAP, Gauge.PAGES):
        assert_same_figures(measure(gauge), there.readings[gauge])


@pytest.mark.fault("no /proc at all", "`failed`, or `crashed` in the recorder that needs it too; both say so")
def test_no_proc(elsewhere: Elsewhere) -> None:
    wrapper = in_namespace("mount -t tmpfs none /proc")

    there = elsewhere(Gauge.HEAP, Gauge.PAGES, wrapper=wrapper).readings

    assert there[Gauge.HEAP].outcome.kind is OutcomeKind.CRASHED
    assert "Failed to open /proc/self/status" in there[Gauge.HEAP].outcome.cause
    assert there[Gauge.PAGES].outcome.kind is OutcomeKind.FAILED
    assert "is /proc mounted?" in there[Gauge.PAGES].outcome.cause


@pytest.mark.fault("/proc shows processes only (`subset=pid`)", "measured as ever, with the same figures")
def test_processes_only(measure: Measure, elsewhere: Elsewhere) -> None:
    wrapper = in_namespace("mount -t proc -o subset=pid proc /proc")

    there = elsewhere(Gauge.HEAP, Gauge.PAGES, wrapper=wrapper)

    assert there.caveats == ()
    for gauge in (Gauge.HEAP, Gauge.PAGES):
        assert_same_figures(measure(gauge), there.readings[gauge])


@pytest.mark.fault(
    "no right to write to /proc (`clear_refs`)", "caveat `no_phase_hwm`; the judged figures are the same"
)
def test_proc_is_read_only(measure: Measure, elsewhere: Elsewhere) -> None:
    wrapper = in_namespace("mount -o remount,ro /proc")

    there = elsewhere(Gauge.HEAP, Gauge.PAGES, wrapper=wrapper)

    assert there.caveats == (Caveat.NO_PHASE_HWM,)
    for gauge in (Gauge.HEAP, Gauge.PAGES):
        assert_same_figures(measure(gauge), there.readings[gauge])


@pytest.mark.fault(
    "a container without sysfs cache files", "measured; the machine class is told from what ncnn assumes then"
)
def test_no_cache_files(measure: Measure, elsewhere: Elsewhere) -> None:
    wrapper = in_namespace("mount -t tmpfs none /sys/devices/system/cpu")
    here = machine.detect()

    there = elsewhere(Gauge.HEAP, Gauge.PAGES, wrapper=wrapper)

    assert there.caveats == ()
    assert there.readings[Gauge.PAGES].outcome.ok
    assert f"cores.{here.physical_cores}-" in there.model
    if there.model == here.id:
        assert_same_figures(measure(Gauge.HEAP), there.readings[Gauge.HEAP])
    assert there.readings[Gauge.HEAP].outcome.ok


@pytest.mark.fault("a container without sysfs", "measured, as without its cache files")
def test_no_sysfs(elsewhere: Elsewhere) -> None:
    there = elsewhere(Gauge.HEAP, Gauge.PAGES, wrapper=in_namespace("umount -l /sys"))

    assert there.outcome.ok
    assert there.caveats == ()


@pytest.mark.fault(
    "/proc is that of another PID namespace", "the process gauges are `failed`: no stranger is measured"
)
def test_foreign_proc(elsewhere: Elsewhere) -> None:
    # The one beneath is from before the namespace was made.
    (reading,) = elsewhere(Gauge.PAGES, wrapper=in_namespace("umount -l /proc")).readings.values()

    assert reading.outcome.kind is OutcomeKind.FAILED
    assert "/proc shows other processes" in reading.outcome.cause or "/proc mounted?" in reading.outcome.cause
