"""What the values of the file must be to each other.

Every check reads the document rather than the validated entries and passes over what is not of the expected
shape, so that one mistake elsewhere in the file does not hide another here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import combinations

from ncnn_peakmem.case import Precision
from ncnn_peakmem.catalog.catalog import InId
from ncnn_peakmem.catalog.document import Document
from ncnn_peakmem.catalog.mistake import Location, Mistake, shown, unknown
from ncnn_peakmem.network import Loops

_Complaint = tuple[Location, str]

_SOURCES = ("topology", "onnx", "param")
_ONLY_WITH = {"seed": ("topology",), "bin": ("param",), "input_shapes": ("onnx", "param")}
_PART_OF_A_THREAD_LABEL = re.compile("t?[0-9]*")
_OPERATORS_OF_K = ("and", "or", "not")


def incoherences(document: Document) -> Iterator[Mistake]:
    """Every place where two values of the file contradict each other."""
    for check in _CHECKS:
        for location, text in check(document):
            yield document.mistake(location, text)


def _one_source(document: Document) -> Iterator[_Complaint]:
    for name, network in document.table("networks").items():
        if not isinstance(network, dict):
            continue
        sources = [key for key in _SOURCES if key in network]
        if len(sources) != 1:
            given = " and ".join(sources) or "no source"
            yield ("networks", name), f"found {given}; allowed: one of {', '.join(_SOURCES)}"
        for key, owners in _ONLY_WITH.items():
            if key in network and sources and not set(owners) & set(sources):
                wanted = " or ".join(owners)
                yield ("networks", name, key), f"does not go with {sources[0]}; allowed: with {wanted}"


def _loops_in_order(document: Document) -> Iterator[_Complaint]:
    shared = {**asdict(Loops()), **document.table("loops")}
    own = [("networks", name, "loops") for name in document.table("networks")]
    for location in [("loops",), *own]:
        change = document.table(*location)
        # A network that sets neither has nothing to answer for.
        if not change.keys() & {"minimum", "maximum"}:
            continue
        match {**shared, **change}:
            case {"minimum": int(minimum), "maximum": int(maximum)} if minimum > maximum:
                yield location, f"found minimum {minimum}; allowed: up to the maximum, {maximum}"


def _default_is_a_choice(document: Document) -> Iterator[_Complaint]:
    for axis in document.table("axes"):
        default, choices = document.at("axes", axis, "default"), document.table("axes", axis, "choices")
        if isinstance(default, str) and choices and default not in choices:
            yield ("axes", axis, "default"), unknown(f"choice of {axis}", default, choices)


def _labels_pick_exactly(document: Document) -> Iterator[_Complaint]:
    """`pytest -k` looks for substrings, so no label may overlap with another word of an id."""
    words = {str(precision): f"the precision {str(precision)!r}" for precision in Precision}
    labels: dict[str, str] = {}
    for axis in document.table("axes"):
        for label in document.table("axes", axis, "choices"):
            location = ("axes", axis, "choices", label)
            if _PART_OF_A_THREAD_LABEL.fullmatch(label):
                yield location, f"{label!r} is part of thread labels (t1): -k {label} would pick those too"
            if label in _OPERATORS_OF_K:
                yield location, f"{label!r} is an operator of pytest's -k and cannot be picked"
            yield from _overlap(location, label, words | labels)
            labels.setdefault(label, f"the label {label!r} of {axis}")
    for network in document.table("networks"):
        yield from _overlap(("networks", network), network, labels)


def _overlap(location: Location, word: str, others: Mapping[str, str]) -> Iterator[_Complaint]:
    for other, description in others.items():
        if word in other or other in word:
            shorter = min(word, other, key=len)
            yield location, f"{word!r} overlaps with {description}: -k {shorter} would pick both"
            return


def _named_once(document: Document) -> Iterator[_Complaint]:
    for grid in _grids(document):
        for key in ("networks", "axes", "threads"):
            rows = document.rows(*grid, key)
            for place, row in enumerate(rows):
                if row in rows[:place]:
                    yield (*grid, key, place), f"{shown(row)} is here twice"


def _flags_set_once(document: Document) -> Iterator[_Complaint]:
    """A flag that two axes of one case set would have the value of whichever comes last."""
    always = [axis for axis in document.table("axes") if document.at("axes", axis, "id") == InId.ALWAYS]
    for first, second in combinations(always, 2):
        for flag in _shared_flags(document, first, second):
            yield ("axes", second), f"sets {flag}, as {first!r} does, and both are part of every case"
    for grid in _grids(document):
        others = list(always)
        for place, axis in enumerate(document.rows(*grid, "axes")):
            if not isinstance(axis, str) or axis in others:
                continue
            for other in others:
                for flag in _shared_flags(document, axis, other):
                    yield (*grid, "axes", place), f"{axis!r} sets {flag}, as {other!r} does in the same grid"
            others.append(axis)


def _shared_flags(document: Document, axis: str, other: str) -> list[str]:
    return sorted(_flags(document, axis) & _flags(document, other))


def _flags(document: Document, axis: str) -> set[str]:
    choices = ("axes", axis, "choices")
    return {flag for label in document.table(*choices) for flag in document.table(*choices, label)}


def _grids(document: Document) -> Iterator[Location]:
    for profile in document.table("profiles"):
        for place, _ in enumerate(document.rows("profiles", profile)):
            yield ("profiles", profile, place)


_CHECKS = (
    _one_source,
    _loops_in_order,
    _default_is_a_choice,
    _labels_pick_exactly,
    _named_once,
    _flags_set_once,
)
