"""Folding: cases that are alike, told by one pattern. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

_ANY = "*"

_Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fold:
    """Cases of one network and the pattern that means them, such as `mobilenet_v1-fp32-light-*-*-t1`."""

    pattern: str
    cases: tuple[str, ...]


def fold_cases(cases: Collection[str], among: Collection[str]) -> tuple[Fold, ...]:
    """Tell cases by few patterns, each case by one of them.

    `*` stands for all labels that cases of `among` have there: no pattern means one that is not in `cases`.
    """
    alike = {tuple(case.split("-")) for case in cases}
    known: defaultdict[tuple[str, int], list[_Parts]] = defaultdict(list)
    for parts in sorted(alike | {tuple(case.split("-")) for case in among}):
        known[parts[0], len(parts)].append(parts)
    folds = {parts: [parts] for parts in sorted(alike)}
    longest = max(map(len, alike), default=0)
    # From the end on: so the labels that an id names first are the last to be starred, and the network never.
    for place in range(longest - 1, 0, -1):
        folds = _starred(folds, place, known)
    told = [Fold("-".join(pattern), tuple("-".join(parts) for parts in folds[pattern])) for pattern in folds]
    return tuple(sorted(told, key=lambda fold: fold.cases))


def fold_alike(signatures: Mapping[str, Hashable], among: Collection[str]) -> tuple[Fold, ...]:
    """Fold the cases of each network that have equal signatures, in the order of their first cases."""
    alike: defaultdict[Hashable, list[str]] = defaultdict(list)
    for case, signature in signatures.items():
        alike[signature].append(case)
    folds = [folded for cases in alike.values() for folded in fold_cases(cases, among)]
    return tuple(sorted(folds, key=lambda fold: fold.cases))


def _starred(
    folds: Mapping[_Parts, list[_Parts]], place: int, known: Mapping[tuple[str, int], Sequence[_Parts]]
) -> dict[_Parts, list[_Parts]]:
    """The folds with those merged that differ at one place only, where that means no case but theirs."""
    siblings: defaultdict[_Parts, list[_Parts]] = defaultdict(list)
    for pattern in folds:
        starred = (*pattern[:place], _ANY, *pattern[place + 1 :]) if place < len(pattern) else pattern
        siblings[starred].append(pattern)
    merged: dict[_Parts, list[_Parts]] = {}
    for starred, patterns in siblings.items():
        members = sorted(parts for pattern in patterns for parts in folds[pattern])
        alike = known[starred[0], len(starred)] if len(patterns) > 1 else ()
        if members == [parts for parts in alike if _means(starred, parts)]:
            merged[starred] = members
        else:
            merged.update({pattern: folds[pattern] for pattern in patterns})
    return merged


def _means(pattern: _Parts, parts: _Parts) -> bool:
    return all(label in (_ANY, part) for label, part in zip(pattern, parts, strict=True))
