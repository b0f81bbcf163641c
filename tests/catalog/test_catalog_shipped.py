"""The models.yaml of the repository."""

from __future__ import annotations

from pathlib import Path

import ncnn  # type: ignore[import-untyped]
import pytest

from ncnn_peakmem.case import Case, Precision
from ncnn_peakmem.catalog import KNOWN_OPTIONS, Catalog, InId, load
from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.network import Loops
from ncnn_peakmem.networks import TOPOLOGIES
from ncnn_peakmem.tolerance import GaugeTolerance, Tolerance

SHIPPED = Path(__file__).parents[2] / "models.yaml"


@pytest.fixture(scope="module")
def shipped() -> Catalog:
    return load(SHIPPED)


def test_article_is_the_articles_72_cases(shipped: Catalog) -> None:
    ids = [case.id for case in shipped.cases("article")]
    assert len(ids) == len(set(ids)) == 72
    assert ids[:2] == ["vgg16-fp32-light-half-q8-t1", "vgg16-fp32-light-half-plain-t1"]
    assert "mobilenet_v2-fp32-light-half-q8-t1" in ids


def test_quick_is_light_and_heavy_of_five_networks_and_all_of_mobilenet_v2(shipped: Catalog) -> None:
    cases = shipped.cases("quick")
    assert len(cases) == 4 * 2 + 8
    assert {case.network for case in cases} == {
        "shufflenet_v2",
        "mobilenet_v1",
        "mobilenet_v2",
        "googlenet",
        "resnet18",
    }


def test_full_has_the_article_and_the_rarer_options_on_several_threads(shipped: Catalog) -> None:
    ids = {case.id for case in shipped.cases("full")}
    # Nine networks: the article's 8, then 2^5 options on 3 thread counts, of which light and heavy are known.
    assert len(ids) == 9 * (8 + 32 * 3 - 2)
    assert {case.id for case in shipped.cases("article")} < ids
    assert "vgg16-fp32-heavy-half-q8-brain-spatial-naive-scalar-t4" in ids


def test_every_built_in_network_is_there(shipped: Catalog) -> None:
    assert list(shipped.networks) == list(TOPOLOGIES)
    assert set(shipped.precisions.values()) == {Precision.FP32}
    others = [network for name, network in shipped.networks.items() if name != "shufflenet_v2"]
    assert all(network.loops == Loops(12, 400, 2.0) for network in others)
    assert shipped.networks["shufflenet_v2"].loops.minimum > Loops().minimum


def test_settings(shipped: Catalog) -> None:
    assert shipped.path == SHIPPED
    assert shipped.default_profile == "article"
    assert shipped.reference_release == "1.0.20260526"
    assert shipped.step_timeout_seconds == 120


def test_tolerances(shipped: Catalog) -> None:
    noisy = Tolerance(16 << 20, 0.15)
    assert shipped.tolerances("vgg16", 1) == {
        Gauge.HEAP: GaugeTolerance(Tolerance(16384, 0.001), Tolerance(0, 0.0)),
        Gauge.PAGES: GaugeTolerance(Tolerance(65536, 0.0025), Tolerance(16384, 0.0)),
        Gauge.DEPLOYED: GaugeTolerance(noisy, noisy),
    }


def _effective(case: Case, catalog: Catalog, axis: str) -> str:
    return case.label(axis) or catalog.axes[axis].default


def test_a_label_picks_exactly_the_cases_that_have_it(shipped: Catalog) -> None:
    cases = shipped.cases("full")
    for axis in shipped.axes.values():
        for label in axis.choices:
            picked = {case.id for case in cases if label in case.id}
            chosen = {case.id for case in cases if _effective(case, shipped, axis.name) == label}
            hidden = axis.in_id is InId.UNLESS_DEFAULT and label == axis.default
            assert picked == (set() if hidden else chosen), label
            assert chosen, label


def test_options_left_out_of_the_id_are_what_ncnn_does_anyway(shipped: Catalog) -> None:
    """Else a case would mean something else under the same id when a grid lists the axis."""
    options = ncnn.Net().opt
    for axis in shipped.axes.values():
        if axis.in_id is InId.UNLESS_DEFAULT:
            flags = axis.choices[axis.default].flags
            assert {flag: getattr(options, flag) for flag in flags} == flags


def test_every_flag_of_the_installed_ncnn_is_known() -> None:
    options = ncnn.Net().opt
    flags = {name for name in dir(options) if isinstance(getattr(options, name), bool)}
    assert len(flags) > 10
    assert flags <= KNOWN_OPTIONS
