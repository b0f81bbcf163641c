"""The runtime alone, before any network: what every figure of the process stands on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fixtures.suite import Suite
from ncnn_peakmem.case import Case
from ncnn_peakmem.gate import Gate
from ncnn_peakmem.measurement import JUDGED, Gauge, Measurement, Metric, Phase
from ncnn_peakmem.reports import quantity
from ncnn_peakmem.tolerance import Tolerance

ARTICLE_FLOOR_BYTES = 16_000_000
"""The article: the runtime's libraries loaded and nothing run, "about 16 MB" of peak."""

FLOOR_TOLERANCE = Tolerance(absolute=4 * 2**20, relative=0.05)
"""Patch releases of Python, and what the page cache holds of ncnn's file, move the floor by less."""


@pytest.fixture
def floor(suite: Suite, memory_probe: Callable[[Case], Measurement]) -> Measurement:
    """The last case of the profile, a small network in ours: its phase `import` is the floor."""
    return memory_probe(suite.cases[-1])


def test_importing_ncnn_takes_no_heap(floor: Measurement) -> None:
    """ncnn allocates nothing until a network is loaded."""
    if Gauge.HEAP not in floor.readings:
        pytest.skip("gauge heap is not measured in this run")
    assert floor.readings[Gauge.HEAP].phases[Phase.IMPORT] == {Metric.PEAK: 0, Metric.LIVE: 0}


def test_floor_is_the_articles(floor: Measurement, record_property: Callable[[str, object], None]) -> None:
    """The runtime alone peaks where the article found it, though it is a Python interpreter here."""
    if Gauge.DEPLOYED not in floor.readings:
        pytest.skip("gauge deployed is not measured in this run")
    resident = floor.readings[Gauge.DEPLOYED].floor(Metric.VM_HWM)
    record_property("floor_vm_hwm_bytes", resident)
    assert resident == pytest.approx(ARTICLE_FLOOR_BYTES, rel=0.5)


def test_floor_does_not_depend_on_the_network(
    suite: Suite, build: Gate, memory_probe: Callable[[Case], Measurement], floor: Measurement
) -> None:
    """Another network stands on the same floor: figures net of it can be compared."""
    others = [case for case in suite.cases if case.network != suite.cases[-1].network]
    if not others or Gauge.PAGES not in floor.readings:
        pytest.skip("needs a second network in the profile, and gauge pages")
    page = build.run.machine.page_bytes
    here, there = (measured.readings[Gauge.PAGES] for measured in (floor, memory_probe(others[-1])))
    for metric in JUDGED[Gauge.PAGES]:
        assert abs(here.floor(metric) - there.floor(metric)) <= page, metric


def test_floor_against_the_baseline(suite: Suite, build: Gate, floor: Measurement) -> None:
    """The floor has not grown by more than another patch release of Python explains."""
    if suite.settings.update:
        pytest.skip("baselines are being updated")
    reference = build.reference if build.against else build.stored
    found = reference.find(suite.cases[-1])
    if found is None:
        pytest.skip("there is no baseline to compare the floor with")
    baseline = found.measurement
    gauges = {Gauge.PAGES, Gauge.DEPLOYED} & floor.readings.keys() & baseline.readings.keys()
    if not gauges:
        pytest.skip("no gauge that has a floor is measured in this run")
    for gauge in sorted(gauges):
        for metric in JUDGED[gauge]:
            now, then = floor.readings[gauge].floor(metric), baseline.readings[gauge].floor(metric)
            if now - then > FLOOR_TOLERANCE.bytes_for(then):
                pytest.fail(
                    f"{gauge} {metric} of the runtime alone is {quantity.size(now)}, "
                    f"baseline {quantity.size(then)}: {quantity.difference(now - then)}\n"
                    f"  ncnn {build.run.runtime.title} against {found.ncnn}",
                    pytrace=False,
                )
