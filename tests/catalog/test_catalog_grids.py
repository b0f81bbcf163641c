"""What a grid may say besides networks, axes and threads: precisions, exceptions, how much it covers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product

import pytest

from ncnn_peakmem.catalog import load
from ncnn_peakmem.catalog.cover import Cover, pairs
from tests.catalog.mistaken import GRID, NETWORK, Write, changed, complaints, each


def _ids(write: Write, grid: str, *changes: tuple[str, str]) -> list[str]:
    return [case.id for case in load(write((GRID, f"    - {grid}\n"), *changes)).cases("small")]


def test_precisions_turn_faster_than_networks_and_slower_than_options(write: Write) -> None:
    assert _ids(write, "{networks: all, precisions: [int8, fp32], axes: [lightmode]}") == [
        f"{network}-{precision}-{label}-t1"
        for network, precision, label in product(
            ["resnet18", "alexnet"], ["int8", "fp32"], ["light", "heavy"]
        )
    ]


@pytest.mark.parametrize(
    ("source", "precision"),
    [
        ("{param: models.yaml}", "fp32"),
        ("{param: models.yaml, bin: models.yaml, precision: int8}", "int8"),
        ("{param: models.yaml, precision: fp16}", "fp16"),
    ],
)
@pytest.mark.parametrize("cover", Cover)
def test_a_network_without_fp32_weights_runs_once_as_its_files_are(
    write: Write, source: str, precision: str, cover: Cover
) -> None:
    grid = f"{{networks: [alexnet], precisions: [fp32, fp16, int8], axes: [], cover: {cover}}}"
    assert _ids(write, grid, (NETWORK, source)) == [f"alexnet-{precision}-light-t1"]


def test_fp32_files_of_ncnn_run_in_every_precision(write: Write) -> None:
    source = (NETWORK, "{param: models.yaml, bin: models.yaml}")
    assert len(_ids(write, "{networks: [alexnet], precisions: [fp32, int8], axes: []}", source)) == 2


def test_exceptions_are_left_out_of_all(write: Write) -> None:
    assert _ids(write, "{networks: all, except: [resnet18], axes: []}") == ["alexnet-fp32-light-t1"]


@pytest.mark.parametrize("sizes", [(2, 2), (3, 2, 2, 2, 6, 2, 3), (1, 4, 1), (5, 5, 5, 5), (2,) * 20])
def test_pairwise_has_every_pair_of_values_and_few_combinations(sizes: Sequence[int]) -> None:
    picks = list(Cover.PAIRWISE.picks(sizes))
    met = {
        (first, row[first], second, row[second])
        for row in picks
        for first, second in combinations(range(len(sizes)), 2)
    }
    assert len(met) == pairs(sizes)
    assert all(0 <= pick < size for row in picks for pick, size in zip(row, sizes, strict=True))
    assert picks == sorted(set(picks))
    assert len(picks) <= 2 * max(first * second for first, second in combinations(sizes, 2)) + 10


def test_a_network_more_leaves_the_pairwise_cases_of_others_alone(write: Write) -> None:
    listed = "axes: [lightmode, sgemm], precisions: [fp32, int8], threads: [1, 2]"
    grid = f"{{networks: all, {listed}, cover: pairwise}}"
    before = _ids(write, grid)
    more = _ids(
        write,
        grid,
        ("  alexnet: {topology: alexnet}", "  another: {param: models.yaml}\n  alexnet: {topology: alexnet}"),
    )
    assert len(before) == 2 * 6
    assert [case for case in more if not case.startswith("another")] == before


MISTAKES = [
    (
        "networks: all",
        "networks: all, precisions: [fp8]",
        "precisions[0]: 'fp8' is no precision; allowed: fp16, fp32, int8",
    ),
    ("networks: all", "networks: all, precisions: []", "precisions: holds 0; allowed: 1 or more"),
    ("networks: all", "networks: all, precisions: [fp32, fp32]", "precisions[1]: 'fp32' is here twice"),
    (
        "networks: all",
        "networks: all, cover: pairs",
        "cover: 'pairs' is no way to cover a grid (did you mean 'pairwise'?); allowed: every, pairwise",
    ),
    (
        "networks: all",
        "networks: all, except: [alexnt]",
        "except[0]: 'alexnt' is no network (did you mean 'alexnet'?); allowed: alexnet, resnet18",
    ),
    ("networks: all", "networks: all, except: []", "except: holds 0; allowed: 1 or more"),
    ("networks: all", "networks: all, except: [alexnet, alexnet]", "except[1]: 'alexnet' is here twice"),
    (
        "networks: all",
        "networks: [alexnet], except: [resnet18]",
        "except: does not go with a list of networks; allowed: with networks: all",
    ),
    ("networks: all", "networks: all, except: [alexnet, resnet18]", "except: leaves no network of the grid"),
]


@each(MISTAKES)
def test_a_mistake_is_told_with_line_key_and_what_is_allowed(
    write: Write, old: str, new: str, complaint: str
) -> None:
    path, line = changed(write, old, new)
    assert complaints(path) == [f"{path}:{line}: profiles.small[0].{complaint}"]


def test_more_pairs_than_can_be_covered_are_told_before_it_is_tried(write: Write) -> None:
    threads = ", ".join(map(str, range(1, 1001)))
    listed = f"precisions: [fp32, int8], axes: [], threads: [{threads}]"
    one = f"    - {{networks: [alexnet], {listed}, cover: pairwise}}\n"
    assert len(load(write((GRID, one + one))).cases("small")) == 2000
    path = write((GRID, 3 * one))
    assert complaints(path) == [
        (
            f"{path}:26: profiles.small[2]: brings the file above 4000 pairs to cover; "
            "allowed: up to that many in all grids with pairwise"
        )
    ]
