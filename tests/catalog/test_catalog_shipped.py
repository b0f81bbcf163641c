"""The models.yaml of the repository."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
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


def test_a_network_of_ones_own_is_part_of_the_article_by_default(tmp_path: Path) -> None:
    more = SHIPPED.read_text().replace("\nnetworks:\n", "\nnetworks:\n  mine: {topology: alexnet, seed: 7}\n")
    path = tmp_path / "models.yaml"
    path.write_text(more)
    assert len(load(path, SHIPPED.parent).cases("article")) == 80


def test_there_is_room_for_many_networks_of_ones_own(tmp_path: Path) -> None:
    mine = "".join(f"  mine_{seed}: {{topology: mobilenet_v2, seed: {seed}}}\n" for seed in range(80))
    path = tmp_path / "models.yaml"
    path.write_text(SHIPPED.read_text().replace("\nnetworks:\n", f"\nnetworks:\n{mine}"))
    assert len(load(path, SHIPPED.parent).networks) == len(TOPOLOGIES) + 1 + 80


def test_quick_is_light_and_heavy_of_five_networks_all_of_mobilenet_v2_and_some_precisions(
    shipped: Catalog,
) -> None:
    cases = shipped.cases("quick")
    fewer_bits = [case.id for case in cases if case.precision is not Precision.FP32]
    assert len(cases) == 4 * 2 + 8 + len(fewer_bits)
    assert sorted(fewer_bits) == [
        f"{network}-{precision}-light-half-q8-t1"
        for network in ("mobilenet_v2", "resnet18")
        for precision in ("fp16", "int8")
    ]
    assert {case.network for case in cases} == {
        "shufflenet_v2",
        "mobilenet_v1",
        "mobilenet_v2",
        "googlenet",
        "resnet18",
    }


def test_precisions_is_every_network_in_each_light_and_heavy(shipped: Catalog) -> None:
    cases = [case for case in shipped.cases("precisions") if case.label("winograd") is None]
    assert len(cases) == (len(TOPOLOGIES) * 3 + 1) * 2
    assert {case.precision for case in cases if case.network in TOPOLOGIES} == set(Precision)
    assert {case.precision for case in cases if case.network == "smollm_step"} == {Precision.FP32}


def test_precisions_has_every_kind_of_winograd_for_int8(shipped: Catalog) -> None:
    cases = [case for case in shipped.cases("precisions") if case.label("winograd") is not None]
    assert {(case.network, case.precision) for case in cases} == {("resnet18", Precision.INT8)}
    assert {case.label("winograd") for case in cases} == shipped.axes["winograd"].choices.keys() - {"wino"}


def test_full_is_the_whole_space(shipped: Catalog) -> None:
    ids = {case.id for case in shipped.cases("full")}
    # Files without weights are of one precision.
    assert len(ids) == (len(TOPOLOGIES) * 3 + 1) * 2**6 * 6 * 3
    assert shipped.all_case_ids() == ids
    assert "vgg16-int8-heavy-single-plain-brain-only23-naive-scalar-t4" in ids


def _values(case: Case, catalog: Catalog) -> tuple[str, ...]:
    labels = (_effective(case, catalog, axis) for axis in catalog.axes)
    return (case.precision, *labels, str(case.threads))


def test_pairwise_has_every_pair_of_full_in_few_cases(shipped: Catalog) -> None:
    full, few = shipped.cases("full"), shipped.cases("pairwise")
    # No fewer could do: six kinds of winograd meet three precisions.
    assert len(few) == 18 * len(shipped.networks)
    assert {case.id for case in few} < {case.id for case in full}

    def pairs(cases: Iterable[Case]) -> set[object]:
        return {
            (case.network, *pair)
            for case in cases
            for pair in combinations(enumerate(_values(case, shipped)), 2)
        }

    one = "vgg16"
    assert pairs(few) >= pairs(case for case in full if case.network == one)
    rows = {name: {_values(c, shipped) for c in few if c.network == name} for name in TOPOLOGIES}
    assert all(found == rows[one] for found in rows.values())


def test_every_built_in_network_is_there(shipped: Catalog) -> None:
    assert list(shipped.networks) == [*TOPOLOGIES, "smollm_step"]
    assert {network.precision for network in shipped.networks.values()} == {Precision.FP32}
    slow = {"shufflenet_v2", "unet"}
    others = [network for name, network in shipped.networks.items() if name not in slow]
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
