"""Folding: cases that are alike, told by one pattern. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass

from ncnn_peakmem.history.product import Parts, Product, products

_ANY = "*"


@dataclass(frozen=True, slots=True)
class Fold:
    """Cases of one network and the pattern that means them, such as `mobilenet_v1-fp32-light-*-*-t1`."""

    pattern: str
    cases: tuple[str, ...]


def fold_cases(cases: Collection[str], among: Collection[str]) -> tuple[Fold, ...]:
    """Tell cases by few patterns, each case by one of them.

    `*` stands for all labels that cases of `among` have there: no pattern means one that is not in `cases`.
    """
    alike = _by_network(cases)
    known = _by_network(among)
    told = [
        Fold(_pattern(product), tuple("-".join(parts) for parts in product.cases))
        for kind, members in alike.items()
        for product in products(members, known[kind], whole=True)
    ]
    return tuple(sorted(told, key=lambda fold: fold.cases))


def fold_alike(signatures: Mapping[str, Hashable], among: Collection[str]) -> tuple[Fold, ...]:
    """Fold the cases of each network that have equal signatures, in the order of their first cases."""
    alike: defaultdict[Hashable, list[str]] = defaultdict(list)
    for case, signature in signatures.items():
        alike[signature].append(case)
    folds = [folded for cases in alike.values() for folded in fold_cases(cases, among)]
    return tuple(sorted(folds, key=lambda fold: fold.cases))


def _by_network(cases: Collection[str]) -> defaultdict[tuple[str, int], list[Parts]]:
    """The labels of each case, by network and number: no pattern means cases of two of these."""
    found: defaultdict[tuple[str, int], list[Parts]] = defaultdict(list)
    for parts in (tuple(case.split("-")) for case in cases):
        found[parts[0], len(parts)].append(parts)
    return found


def _pattern(product: Product) -> str:
    return "-".join(next(iter(labels)) if len(labels) == 1 else _ANY for labels in product.labels)
