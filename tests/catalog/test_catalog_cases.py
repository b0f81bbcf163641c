"""The cases that grids and profiles span."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ncnn_peakmem.case import threads_of
from ncnn_peakmem.catalog import CatalogError, load

Write = Callable[..., Path]
GRID = "    - {networks: all, axes: [lightmode], threads: [1]}\n"


def _ids(path: Path, profile: str = "small") -> list[str]:
    return [case.id for case in load(path).cases(profile)]


def test_networks_turn_slowest_and_threads_fastest(write: Write) -> None:
    grid = "    - {networks: [alexnet, resnet18], axes: [lightmode], threads: [2, 1]}\n"
    assert _ids(write((GRID, grid))) == [
        "resnet18-fp32-light-t2",
        "resnet18-fp32-light-t1",
        "resnet18-fp32-heavy-t2",
        "resnet18-fp32-heavy-t1",
        "alexnet-fp32-light-t2",
        "alexnet-fp32-light-t1",
        "alexnet-fp32-heavy-t2",
        "alexnet-fp32-heavy-t1",
    ]


def test_an_id_tells_its_threads(write: Write) -> None:
    cases = load(write((GRID, "    - {networks: all, axes: [], threads: [1, 2, 16]}\n"))).cases("small")
    assert [threads_of(case.id) for case in cases] == [case.threads for case in cases] == [1, 2, 16] * 2
    assert [threads_of(other) for other in ("", "net-t", "net-tt2", "net-t2-fp32")] == [1] * 4


def test_axes_turn_in_listed_order_but_stand_in_the_id_in_file_order(write: Write) -> None:
    grid = "    - {networks: [alexnet], axes: [sgemm, lightmode]}\n"
    assert _ids(write((GRID, grid))) == [
        "alexnet-fp32-light-t1",
        "alexnet-fp32-heavy-t1",
        "alexnet-fp32-light-naive-t1",
        "alexnet-fp32-heavy-naive-t1",
    ]


def test_an_always_axis_that_is_not_listed_sets_its_default(write: Write) -> None:
    (case,) = load(write((GRID, "    - {networks: [alexnet], axes: []}\n"))).cases("small")
    assert case.id == "alexnet-fp32-light-t1"
    assert case.flags == {"lightmode": True}


def test_an_unless_default_axis_that_is_not_listed_sets_nothing(write: Write) -> None:
    case, _ = load(write((GRID, "    - {networks: [alexnet], axes: [lightmode]}\n"))).cases("small")
    assert case.label("sgemm") is None


def test_an_unless_default_axis_that_is_listed_sets_its_default_too(write: Write) -> None:
    gemm, naive = load(write((GRID, "    - {networks: [alexnet], axes: [sgemm]}\n"))).cases("small")
    assert (gemm.id, gemm.flags["use_sgemm_convolution"]) == ("alexnet-fp32-light-t1", True)
    assert (naive.id, naive.flags["use_sgemm_convolution"]) == ("alexnet-fp32-light-naive-t1", False)


def test_of_two_grids_that_name_a_case_the_first_wins(write: Write) -> None:
    grids = "    - {networks: [alexnet], axes: []}\n    - {networks: [alexnet], axes: [sgemm]}\n"
    plain, naive = load(write((GRID, grids))).cases("small")
    assert (plain.id, plain.label("sgemm")) == ("alexnet-fp32-light-t1", None)
    assert naive.id == "alexnet-fp32-light-naive-t1"


def test_threads_left_out_are_one(write: Write) -> None:
    assert _ids(write((", threads: [1]", "")))[0].endswith("-t1")


def test_all_case_ids_are_of_every_profile(write: Write) -> None:
    more = GRID + "  more:\n    - {networks: [alexnet], axes: [], threads: [8]}\n"
    catalog = load(write((GRID, more)))
    assert len(catalog.cases("small")) == 4
    assert catalog.all_case_ids() == {*_ids(catalog.path), "alexnet-fp32-light-t8"}


def test_an_unknown_profile_names_those_there_are(write: Write) -> None:
    catalog = load(write((GRID, GRID + "  thorough:\n" + GRID)))
    with pytest.raises(CatalogError) as caught:
        catalog.cases("throrough")
    assert str(caught.value) == (
        f"{catalog.path}: 'throrough' is no profile (did you mean 'thorough'?); allowed: small, thorough"
    )
