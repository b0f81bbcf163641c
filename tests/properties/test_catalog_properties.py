from __future__ import annotations

import json
from contextlib import suppress
from itertools import product
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ncnn_peakmem import catalog
from ncnn_peakmem.case import Case, OptionChoice, Precision, is_id
from ncnn_peakmem.catalog.cover import Cover
from ncnn_peakmem.catalog.options import KNOWN_OPTIONS
from ncnn_peakmem.catalog.quantity import fraction, size
from ncnn_peakmem.measurement import Phase

UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20))
NAMES = st.from_regex(r"[a-z]{5}[a-z0-9_]{0,10}", fullmatch=True)
LABELS = st.lists(st.sampled_from(["light", "heavy", "half", "single", "q8", "plain"]), unique=True)
TOLERANCES = {
    gauge: {key: {"absolute": 0, "relative": "0 %"} for key in ("between_releases", "same_release")}
    for gauge in ("heap", "pages", "deployed")
}


@given(st.integers(0, 10**15 - 1), st.sampled_from(sorted(UNITS)), st.integers(0, 3))
def test_a_size_is_its_number_times_its_unit(number: int, unit: str, spaces: int) -> None:
    assert size(f"{number}{' ' * spaces}{unit}") == number * UNITS[unit]
    assert size(number) == number


@given(st.decimals(0, 999_999, places=6))
def test_a_percentage_is_a_hundredth(number: Any) -> None:
    assert fraction(f"{number} %") == pytest.approx(float(number) / 100)


@given(ANYTHING)
def test_anything_is_a_quantity_or_refused(value: object) -> None:
    with suppress(ValueError):
        assert size(value) >= 0
    with suppress(ValueError):
        assert fraction(value) >= 0


@given(NAMES, st.sampled_from(Precision), LABELS, st.integers(1, 1024))
def test_an_id_tells_all_that_the_case_is(
    network: str, precision: Precision, labels: list[str], threads: int
) -> None:
    case = Case(network, precision, tuple(OptionChoice(label, label, {}) for label in labels), threads)
    assert case.id.split("-") == [network, precision, *labels, f"t{threads}"]
    assert is_id(case.id)


@given(st.text())
def test_what_can_be_an_id_names_a_file_in_its_own_folder(text: str) -> None:
    for name in (text, f"../{text}", f"/{text}", f"{text}\0", f".{text}"):
        if is_id(name):
            assert Path("folder", name).parent == Path("folder")
            assert len(f"{name}.json".encode()) <= 255
    assert not is_id(f"../{text}")
    assert not is_id(f"{text}\n")


@st.composite
def catalogs(draw: st.DrawFn) -> dict[str, Any]:
    """What a models.yaml says, without a mistake."""
    networks = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    flags = draw(st.lists(st.sampled_from(sorted(KNOWN_OPTIONS)), max_size=3, unique=True))
    axes = {
        f"axis_{flag}": {
            "choices": {f"zz{number}on": {flag: True}, f"zz{number}off": {flag: False}},
            "default": f"zz{number}on",
            "id": draw(st.sampled_from(["always", "unless_default"])),
        }
        for number, flag in enumerate(flags)
    }
    grid = {
        "networks": draw(
            st.one_of(st.just("all"), st.lists(st.sampled_from(networks), min_size=1, unique=True))
        ),
        "axes": draw(st.lists(st.sampled_from(sorted(axes)), unique=True)) if axes else [],
        "threads": draw(st.lists(st.integers(1, 8), min_size=1, max_size=3, unique=True)),
        "precisions": draw(st.lists(st.sampled_from(Precision), min_size=1, unique=True)),
        "cover": draw(st.sampled_from(Cover)),
    }
    return {
        "schema": 1,
        "default_profile": "one",
        "reference_release": "1.0.20260526",
        "step_timeout_seconds": draw(st.integers(1, 600)),
        "networks": {
            name: {
                "topology": "alexnet",
                "seed": draw(st.integers(0, 99)),
                "calibration": {"inputs": draw(st.integers(1, 99))},
                "budget": {"pages": {draw(st.sampled_from(list(Phase)[1:])): "1 MiB"}},
            }
            for name in networks
        },
        "axes": axes,
        "profiles": {"one": [grid]},
        "tolerances": TOLERANCES,
    }


def load(document: object) -> catalog.Catalog:
    with TemporaryDirectory() as folder:
        path = Path(folder, "models.yaml")
        path.write_text(json.dumps(document))
        return catalog.load(path)


@given(catalogs())
def test_a_grid_spans_the_product_of_what_it_lists(document: dict[str, Any]) -> None:
    known = load(document)
    (grid,) = document["profiles"]["one"]
    networks = document["networks"] if grid["networks"] == "all" else grid["networks"]
    cases = known.cases("one")
    sizes = [len(grid["precisions"]), *(2 for _ in grid["axes"]), len(grid["threads"])]
    assert len(cases) <= len(networks) * prod(sizes)
    assert len(cases) == len(networks) * prod(sizes) or grid["cover"] == Cover.PAIRWISE
    assert len({case.id for case in cases}) == len(cases)
    assert {case.network for case in cases} == set(networks)
    for network in networks:
        met = {(case.precision, case.threads) for case in cases if case.network == network}
        assert met == set(product(grid["precisions"], grid["threads"]))
    assert known.all_case_ids() == {case.id for case in cases}


@given(catalogs(), st.data())
def test_a_catalog_with_anything_anywhere_is_read_or_refused_in_words(
    document: dict[str, Any], data: st.DataObject
) -> None:
    place: Any = document
    while isinstance(place, dict | list) and place:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if data.draw(st.booleans()):
            place[key] = data.draw(st.one_of(ANYTHING, st.just([]), st.just({}), st.just([[]])))
            break
        place = place[key]
    try:
        load(document).all_case_ids()
    except catalog.CatalogError as error:
        assert all(mistake.text for mistake in error.mistakes)  # noqa: PT017 - some are fine


@given(st.one_of(st.binary(), st.text().map(str.encode)))
def test_any_bytes_are_a_catalog_or_refused(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "models.yaml")
        path.write_bytes(content)
        with pytest.raises(catalog.CatalogError, match=r"models\.yaml"):
            catalog.load(path)
