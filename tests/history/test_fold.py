from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatchcase
from itertools import combinations, product

import pytest

from ncnn_peakmem.history import fold_alike, fold_cases

GRID = tuple(
    f"net-fp32-{light}-{half}-{q8}-t1"
    for light, half, q8 in product(("heavy", "light"), ("half", "single"), ("plain", "q8"))
)


def patterns(cases: Collection[str], among: Collection[str] = GRID) -> list[str]:
    return [fold.pattern for fold in fold_cases(cases, among)]


def test_a_label_that_makes_no_difference_becomes_a_star() -> None:
    light = [case for case in GRID if "light" in case]
    assert patterns(light) == ["net-fp32-light-*-*-t1"]
    assert patterns(GRID) == ["net-fp32-*-*-*-t1"]
    assert patterns(light[:1]) == light[:1]


def test_a_pattern_never_means_a_case_that_is_not_alike() -> None:
    crossed = ["net-fp32-light-half-q8-t1", "net-fp32-light-single-plain-t1"]
    assert sorted(patterns(crossed)) == crossed
    three = [case for case in GRID if "light" in case and not case.endswith("single-q8-t1")]
    assert sorted(patterns(three)) == ["net-fp32-light-half-*-t1", "net-fp32-light-single-plain-t1"]


def test_two_of_three_labels_are_no_star() -> None:
    threads = [f"net-fp32-light-t{count}" for count in (1, 2, 4)]
    assert patterns(threads[:2], threads) == threads[:2]
    assert patterns(threads, threads) == ["net-fp32-light-*"]


def test_ids_of_another_length_are_not_meant() -> None:
    longer = ["net-fp32-light-brain-t1", "net-fp32-light-wino-t1"]
    assert patterns(longer, [*longer, "net-fp32-light-t1"]) == ["net-fp32-light-*-t1"]


@pytest.mark.parametrize("count", range(1, len(GRID) + 1))
def test_every_set_of_cases_is_told_exactly(count: int) -> None:
    for cases in combinations(GRID, count):
        folds = fold_cases(cases, GRID)
        assert sorted(case for fold in folds for case in fold.cases) == sorted(cases)
        for fold in folds:
            assert [case for case in GRID if fnmatchcase(case, fold.pattern)] == list(fold.cases)


def test_alike_cases_of_different_networks_stay_apart() -> None:
    cases = [f"{network}-fp32-{label}-t1" for network in ("a", "b") for label in ("half", "single")]
    folds = fold_alike(dict.fromkeys(cases, "the same"), cases)
    assert [fold.pattern for fold in folds] == ["a-fp32-*-t1", "b-fp32-*-t1"]


def test_cases_with_different_signatures_stay_apart() -> None:
    signatures = {case: "half" in case for case in GRID}
    assert [fold.pattern for fold in fold_alike(signatures, GRID)] == [
        "net-fp32-*-half-*-t1",
        "net-fp32-*-single-*-t1",
    ]
