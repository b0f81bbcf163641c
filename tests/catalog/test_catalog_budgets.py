"""The most that a network may take."""

from __future__ import annotations

import pytest

from ncnn_peakmem.catalog import load
from ncnn_peakmem.measurement import Gauge, Phase
from tests.catalog.mistaken import NETWORK, Write, changed, complaints, each

SIZES = "whole bytes such as 16384, or a size such as 16 KiB, 4 MiB, 1 GiB"
PHASES = "first, load_model, load_param, steady, unload"
BOTH = "deployed, first, heap, load_model, load_param, pages, steady, unload"
HEAP, PAGES = Gauge.HEAP, Gauge.PAGES


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("{}", {}),
        ("{steady: 48 MiB}", {(HEAP, Phase.STEADY): 48 << 20}),
        (
            "{heap: {first: 7}, pages: {load_model: 1 KiB}}",
            {(HEAP, Phase.FIRST): 7, (PAGES, Phase.LOAD_MODEL): 1024},
        ),
        ("{first: 7, heap: {steady: 8}}", {(HEAP, Phase.FIRST): 7, (HEAP, Phase.STEADY): 8}),
        ("{deployed: {unload: 0}}", {(Gauge.DEPLOYED, Phase.UNLOAD): 0}),
    ],
)
def test_phases_are_heaps_unless_a_gauge_is_named(
    write: Write, written: str, meant: dict[tuple[Gauge, Phase], int]
) -> None:
    budgets = load(write((NETWORK, f"{{topology: alexnet, budget: {written}}}"))).budgets
    assert {name: dict(budget) for name, budget in budgets.items()} == {"resnet18": {}, "alexnet": meant}


MISTAKES = [
    (
        "{stedy: 1}",
        f"stedy: 'stedy' is no phase or gauge with a budget (did you mean 'steady'?); allowed: {BOTH}",
    ),
    ("{import: 1}", f"import: 'import' is no phase or gauge with a budget; allowed: {BOTH}"),
    ("{pages: {import: 1}}", f"pages.import: 'import' is no phase with a budget; allowed: {PHASES}"),
    ("{steady: 48 MB}", f"steady: found '48 MB'; allowed: {SIZES}"),
    ("{heap: {steady: -1}}", f"heap.steady: found -1; allowed: {SIZES}"),
    ("{steady: }", f"steady: found nothing; allowed: {SIZES}"),
    ("{heap: 48 MiB}", "heap: found '48 MiB'; allowed: a mapping"),
    ("{steady: 1, heap: {steady: 2}}", "heap.steady: is here twice: steady outside of a gauge is heap's"),
]


@each([(NETWORK, f"{{topology: alexnet, budget: {new}}}", text) for new, text in MISTAKES])
def test_a_mistake_is_told_with_line_key_and_what_is_allowed(
    write: Write, old: str, new: str, complaint: str
) -> None:
    path, line = changed(write, old, new)
    assert complaints(path) == [f"{path}:{line}: networks.alexnet.budget.{complaint}"]
