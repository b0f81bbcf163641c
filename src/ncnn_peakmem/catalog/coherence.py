"""What the values of the file must be to each other.

Every check reads the document rather than the validated entries and passes over what is not of the expected
shape, so that one mistake elsewhere in the file does not hide another here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from itertools import chain, combinations

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

_MOST_CHOICES, _MOST_LABELS = 64, 512
_MOST_CASES = 100_000
# With what a record's name ends in, a file's name has up to 255.
_MOST_ID_CHARACTERS = 200


def incoherences(document: Document) -> Iterator[Mistake]:
    """Every place where two values of the file contradict each other."""
    too_many = list(_too_many(document))
    # What is compared with each other in the other checks has to be of a number that they can manage.
    complaints = too_many or chain.from_iterable(check(document) for check in _CHECKS)
    for location, text in complaints:
        yield document.mistake(location, text)


def _too_many(document: Document) -> Iterator[_Complaint]:
    tables: list[Location] = [("axes",), *(("axes", axis, "choices") for axis in document.table("axes"))]
    for table in tables:
        held = len(document.table(*table))
        if held > _MOST_CHOICES:
            yield table, f"holds {held}; allowed: up to {_MOST_CHOICES}"
    if sum(len(document.table(*table)) for table in tables[1:]) > _MOST_LABELS:
        yield ("axes",), f"has more than {_MOST_LABELS} labels in all"


def _spanned(document: Document) -> Iterator[_Complaint]:
    """Told before a list is made of the cases, of which a short file could name any number."""
    total = 0
    for profile in document.table("profiles"):
        for grid in _grids_of(document, profile):
            networks = document.at(*grid, "networks")
            count = len(document.table("networks") if networks == "all" else document.rows(*grid, "networks"))
            for axis in document.rows(*grid, "axes"):
                count *= len(document.table("axes", axis, "choices")) if isinstance(axis, str) else 1
            total += count * max(1, len(document.rows(*grid, "threads")))
            if total > _MOST_CASES:
                yield grid, f"brings the file above {_MOST_CASES} cases; allowed: up to that many"
                return


def _ids_fit(document: Document) -> Iterator[_Complaint]:
    """An id names files, whose names cannot be of any length."""
    networks, axes = document.table("networks"), document.table("axes")
    longest_label = {axis: max(map(len, document.table("axes", axis, "choices")), default=0) for axis in axes}
    always = {
        axis: len(str(document.at("axes", axis, "default")))
        for axis in axes
        if document.at("axes", axis, "id") == InId.ALWAYS
    }
    for grid in _grids(document):
        every = document.at(*grid, "networks") == "all"
        named = _names(networks if every else document.rows(*grid, "networks"))
        listed = _names(document.rows(*grid, "axes")) & longest_label.keys()
        labels = always | {axis: longest_label[axis] for axis in listed}
        network = max(map(len, named & networks.keys()), default=0)
        longest = network + sum(1 + length for length in labels.values()) + len("-fp32-t1024")
        if longest > _MOST_ID_CHARACTERS:
            text = f"makes ids of up to {longest} characters; allowed: up to {_MOST_ID_CHARACTERS}"
            yield grid, f"{text}, so shorten names and labels"


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
            seen: set[object] = set()
            for place, row in enumerate(rows):
                if not isinstance(row, str | int):
                    continue
                if row in seen:
                    yield (*grid, key, place), f"{shown(row)} is here twice"
                seen.add(row)


def _flags_set_once(document: Document) -> Iterator[_Complaint]:
    """A flag that two axes of one case set would have the value of whichever comes last."""
    flags = {axis: _flags(document, axis) for axis in document.table("axes")}
    always = [axis for axis in document.table("axes") if document.at("axes", axis, "id") == InId.ALWAYS]
    for first, second in combinations(always, 2):
        for flag in sorted(flags[first] & flags[second]):
            yield ("axes", second), f"sets {flag}, as {first!r} does, and both are part of every case"
    for grid in _grids(document):
        others = list(always)
        for place, axis in enumerate(document.rows(*grid, "axes")):
            if not isinstance(axis, str) or axis not in flags or axis in others:
                continue
            for other in others:
                for flag in sorted(flags[axis] & flags[other]):
                    yield (*grid, "axes", place), f"{axis!r} sets {flag}, as {other!r} does in the same grid"
            others.append(axis)


def _flags(document: Document, axis: str) -> set[str]:
    choices = ("axes", axis, "choices")
    return {flag for label in document.table(*choices) for flag in document.table(*choices, label)}


def _names(rows: Iterable[object]) -> set[str]:
    return {row for row in rows if isinstance(row, str)}


def _grids(document: Document) -> Iterator[Location]:
    for profile in document.table("profiles"):
        yield from _grids_of(document, profile)


def _grids_of(document: Document, profile: str) -> Iterator[Location]:
    for place, _ in enumerate(document.rows("profiles", profile)):
        yield ("profiles", profile, place)


_CHECKS = (
    _one_source,
    _loops_in_order,
    _default_is_a_choice,
    _labels_pick_exactly,
    _named_once,
    _flags_set_once,
    _spanned,
    _ids_fit,
)
