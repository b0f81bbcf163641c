"""Sets of cases as products of labels: exact, and few."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from ncnn_peakmem.history import Product, products

Parts = tuple[str, ...]
GRID = tuple(product("ab", "cd", "ef"))


def labels(found: tuple[Product, ...]) -> list[str]:
    return [" ".join("".join(sorted(place)) for place in one.labels) for one in found]


def meant(one: Product, among: tuple[Parts, ...]) -> list[Parts]:
    pairs = ((parts, zip(parts, one.labels, strict=True)) for parts in among)
    return [parts for parts, places in pairs if all(part in place for part, place in places)]


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("count", range(1, len(GRID) + 1))
def test_every_set_is_told_exactly_and_each_case_once(count: int, whole: bool) -> None:
    for cases in combinations(GRID, count):
        found = products(cases, GRID, whole=whole)
        assert sorted(parts for one in found for parts in one.cases) == sorted(cases)
        for one in found:
            assert meant(one, GRID) == list(one.cases)


def test_a_product_of_some_of_the_labels_is_one() -> None:
    grid = tuple(product("ab", "cd", "xyz"))
    cases = [parts for parts in grid if parts[0] == "a" and parts[2] != "y"]
    assert labels(products(cases, grid)) == ["a cd xz"]
    assert labels(products(cases, grid, whole=True)) == ["a cd x", "a cd z"]


def test_what_is_no_product_becomes_few() -> None:
    cases = [parts for parts in GRID if parts != ("a", "c", "e")]
    found = products(cases, GRID)
    assert len(found) == 3
    assert "b cd ef" in labels(found)


def test_cases_that_are_not_known_stand_in_no_way() -> None:
    """As of a profile that covers pairs only: what was not measured need not be told apart."""
    among = (("a", "c", "e"), ("a", "d", "f"), ("b", "c", "f"), ("b", "d", "e"))
    assert labels(products(among[:2], among)) == ["a cd ef"]


def test_no_cases_are_no_products() -> None:
    assert products([], GRID) == ()
