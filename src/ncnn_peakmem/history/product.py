"""Sets of cases told as few products of labels. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Parts = tuple[str, ...]
"""A case as its labels, one a place."""


@dataclass(frozen=True, slots=True)
class Product:
    """Cases, and the labels that mean them: those that have one of `labels` at every place."""

    labels: tuple[frozenset[str], ...]
    cases: tuple[Parts, ...]


def products(cases: Iterable[Parts], among: Iterable[Parts], *, whole: bool = False) -> tuple[Product, ...]:
    """Tell cases of `among`, all with as many places, by products that mean no other case of `among`.

    Each case is told by one product. `whole` allows a place either one label or all that `among` has there.
    """
    known = sorted(set(among) | (told := set(cases)))
    every = _labels(known)
    found = _split(frozenset(told), known, every if whole else None)
    merged = _merged(found, known, every if whole else None)
    made = [Product(_box(group, every if whole else None), tuple(sorted(group))) for group in merged]
    return tuple(sorted(made, key=lambda product: product.cases))


_Group = frozenset[Parts]
_Box = tuple[frozenset[str], ...]
_Every = _Box | None


def _split(group: _Group, known: Sequence[Parts], every: _Every) -> list[_Group]:
    """Split at one place after another, until each group is a product; where that leaves least to do."""
    if not group or not (strangers := _strangers(group, known, every)):
        return [group] if group else []
    splits = [_by_label(group, place) for place in range(len(next(iter(group))))]
    # What is no stranger to the group is none to a part of it, but what the group itself has may be.
    near = [*strangers, *group]
    _, _, best = min(
        (sum(len(_strangers(part, near, every)) for part in split), place, split)
        for place, split in enumerate(splits)
        if len(split) > 1
    )
    return [product for part in best for product in _split(part, known, every)]


def _merged(groups: list[_Group], known: Sequence[Parts], every: _Every) -> list[_Group]:
    """The groups with those united that are one product together."""
    merged: list[_Group] = []
    for group in groups:
        whole = group
        while fitting := next((one for one in merged if _alone(one | whole, known, every)), None):
            merged.remove(fitting)
            whole |= fitting
        merged.append(whole)
    return merged


def _strangers(group: _Group, known: Iterable[Parts], every: _Every) -> list[Parts]:
    """The cases that the group's labels mean besides its own."""
    if len(group) == 1:
        return []
    box = _box(group, every)
    return [parts for parts in known if _means(box, parts) and parts not in group]


def _alone(group: _Group, known: Iterable[Parts], every: _Every) -> bool:
    """Whether the group's labels mean no other case: told at the first one that they do mean."""
    box = _box(group, every)
    return all(parts in group for parts in known if _means(box, parts))


def _means(box: _Box, parts: Parts) -> bool:
    return all(part in labels for part, labels in zip(parts, box, strict=True))


def _box(group: _Group, every: _Every) -> _Box:
    """The labels of each place; with `every`, all of them where there is more than one."""
    box = _labels(group)
    if every is None:
        return box
    return tuple(labels if len(labels) == 1 else widest for labels, widest in zip(box, every, strict=True))


def _labels(cases: Iterable[Parts]) -> _Box:
    return tuple(frozenset(labels) for labels in zip(*cases, strict=True))


def _by_label(group: _Group, place: int) -> list[_Group]:
    parts: defaultdict[str, set[Parts]] = defaultdict(set)
    for case in sorted(group):
        parts[case[place]].add(case)
    return [frozenset(part) for part in parts.values()]
