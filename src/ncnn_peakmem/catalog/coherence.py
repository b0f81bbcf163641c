"""What the values of the file must be to each other.

Every check reads the document rather than the validated entries and passes over what is not of the expected
shape, so that one mistake elsewhere in the file does not hide another here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from itertools import chain, combinations
from math import prod

from ncnn_peakmem.case import Precision
from ncnn_peakmem.catalog import variant
from ncnn_peakmem.catalog.catalog import InId
from ncnn_peakmem.catalog.cover import Cover, pairs
from ncnn_peakmem.catalog.document import Document
from ncnn_peakmem.catalog.mistake import Location, Mistake, shown, unknown
from ncnn_peakmem.measurement import Gauge, Phase
from ncnn_peakmem.network import Loops

_Complaint = tuple[Location, str]

_SOURCES = ("topology", "onnx", "param")
_ONLY_WITH = {"seed": ("topology",), "bin": ("param",), "precision": ("param",)}
_PART_OF_A_THREAD_LABEL = re.compile("t?[0-9]*")
_OPERATORS_OF_K = ("and", "or", "not")

_MOST_CHOICES, _MOST_LABELS = 64, 512
# What covers so many pairs is found in a second or two.
_MOST_CASES, _MOST_PAIRS = 400_000, 4_000
# With what a record's name ends in, a file's name has up to 255.
_MOST_ID_CHARACTERS = 200
# As for any other network's name.
_MOST_NAME_CHARACTERS = 64


def incoherences(document: Document) -> Iterator[Mistake]:
    """Every place where two values of the file contradict each other."""
    for location, text in chain.from_iterable(check(document) for check in _CHECKS):
        yield document.mistake(location, text)


def excesses(document: Document) -> Iterator[Mistake]:
    """Every place with more than the other checks can compare with each other."""
    for location, text in _too_many(document):
        yield document.mistake(location, text)


def _too_many(document: Document) -> Iterator[_Complaint]:
    tables: list[Location] = [("axes",), *(("axes", axis, "choices") for axis in document.table("axes"))]
    for table in tables:
        held = len(document.table(*table))
        if held > _MOST_CHOICES:
            yield table, f"holds {held}; allowed: up to {_MOST_CHOICES}"
    if sum(len(document.table(*table)) for table in tables[1:]) > _MOST_LABELS:
        yield ("axes",), f"has more than {_MOST_LABELS} labels in all"
    if sum(len(variant.labels(entry)) for entry in document.table("networks").values()) > _MOST_LABELS:
        yield ("networks",), f"has more than {_MOST_LABELS} labels of input shapes in all"


def _spanned(document: Document) -> Iterator[_Complaint]:
    """Told before a list is made of the cases, of which a short file could name any number."""
    total = covered = 0
    for grid in _grids(document):
        sizes = [
            len(document.table("axes", axis, "choices"))
            for axis in document.rows(*grid, "axes")
            if isinstance(axis, str)
        ]
        sizes += [max(1, len(document.rows(*grid, key))) for key in ("precisions", "threads")]
        count = prod(sizes)
        if document.at(*grid, "cover") == Cover.PAIRWISE:
            covered += pairs(sizes)
            count = min(count, pairs(sizes))
        total += count * len(_networks_of(document, grid))
        if total > _MOST_CASES:
            yield grid, f"brings the file above {_MOST_CASES} cases; allowed: up to that many"
            return
        if covered > _MOST_PAIRS:
            allowed = f"allowed: up to that many in all grids with {Cover.PAIRWISE}"
            yield grid, f"brings the file above {_MOST_PAIRS} pairs to cover; {allowed}"
            return


def _ids_fit(document: Document) -> Iterator[_Complaint]:
    """An id names files, whose names cannot be of any length."""
    axes = document.table("axes")
    longest_label = {axis: max(map(len, document.table("axes", axis, "choices")), default=0) for axis in axes}
    always = {
        axis: len(str(document.at("axes", axis, "default")))
        for axis in axes
        if document.at("axes", axis, "id") == InId.ALWAYS
    }
    for grid in _grids(document):
        listed = _names(document.rows(*grid, "axes")) & longest_label.keys()
        labels = always | {axis: longest_label[axis] for axis in listed}
        network = max(map(len, _networks_of(document, grid)), default=0)
        longest = network + sum(1 + length for length in labels.values()) + len("-fp32-t1024")
        if longest > _MOST_ID_CHARACTERS:
            text = f"makes ids of up to {longest} characters; allowed: up to {_MOST_ID_CHARACTERS}"
            yield grid, f"{text}, so shorten names and labels"


def _networks_of(document: Document, grid: Location) -> set[str]:
    """The networks that a grid has, those of its names that are none left out."""
    entries = document.table("networks")
    named = document.at(*grid, "networks")
    rows = entries if named == "all" else _names(document.rows(*grid, "networks"))
    left_out = _names(document.rows(*grid, "except"))
    return _meant(rows, entries) - _meant(left_out, entries)


def _meant(rows: Iterable[str], entries: Mapping[str, object]) -> set[str]:
    return {network for name in rows for network in variant.meant(name, entries)}


def _exceptions_leave_some(document: Document) -> Iterator[_Complaint]:
    for grid in _grids(document):
        if "except" not in document.table(*grid):
            continue
        if document.at(*grid, "networks") != "all":
            yield (*grid, "except"), "does not go with a list of networks; allowed: with networks: all"
        elif not _networks_of(document, grid):
            yield (*grid, "except"), "leaves no network of the grid"


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


def _variants_have_names(document: Document) -> Iterator[_Complaint]:
    entries = document.table("networks")
    taken = set(entries)
    for entry in entries:
        for label in variant.labels(entries[entry]):
            location, name = ("networks", entry, "input_shapes", label), variant.name_of(entry, label)
            if len(name) > _MOST_NAME_CHARACTERS:
                text = f"makes the name {shown(name)}; allowed: up to {_MOST_NAME_CHARACTERS} characters"
                yield location, text
            if name in taken:
                yield location, f"makes the name {shown(name)}, which another network has"
            taken.add(name)


def _calibration_has_a_use(document: Document) -> Iterator[_Complaint]:
    """Scales are read from a table or found with inputs, and only for weights that are not int8 already."""
    for name, network in document.table("networks").items():
        if not isinstance(network, dict) or "calibration" not in network:
            continue
        location = ("networks", name, "calibration")
        given = document.table(*location)
        if "table" in given:
            for key in sorted(given.keys() & {"method", "data", "inputs"}):
                yield (*location, key), "does not go with table, which has the scales already"
        if network.get("precision", Precision.FP32) != Precision.FP32:
            yield location, f"does not go with precision {shown(network['precision'])}; allowed: with fp32"
        elif "param" in network and "bin" not in network:
            yield location, "does not go with param alone, which has no weights; allowed: with bin too"


def _one_budget_each(document: Document) -> Iterator[_Complaint]:
    """A phase outside of a gauge is one of `heap`."""
    for name in document.table("networks"):
        location = ("networks", name, "budget")
        outside, inside = document.table(*location), document.table(*location, Gauge.HEAP)
        for phase in Phase:
            if phase in outside and phase in inside:
                yield (*location, Gauge.HEAP, phase), f"is here twice: {phase} outside of a gauge is heap's"


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
    precisions = {str(precision): f"the precision {str(precision)!r}" for precision in Precision}
    labels: dict[str, str] = {}
    for axis in document.table("axes"):
        for label in document.table("axes", axis, "choices"):
            location = ("axes", axis, "choices", label)
            yield from _unfit(location, label)
            yield from _overlap(location, label, precisions | labels)
            labels.setdefault(label, f"the label {label!r} of {axis}")
    yield from _networks_overlap(document, labels)
    yield from _shapes_overlap(document, precisions | labels)


def _networks_overlap(document: Document, labels: Mapping[str, str]) -> Iterator[_Complaint]:
    for name, entry in document.table("networks").items():
        found = list(_overlap(("networks", name), name, labels))
        yield from found
        for label in () if found else variant.labels(entry):
            joined = variant.name_of(name, label)
            # A label that overlaps by itself is told of as such.
            others = {other: text for other, text in labels.items() if not (other in label or label in other)}
            yield from _overlap(("networks", name, "input_shapes", label), joined, others)


def _shapes_overlap(document: Document, others: Mapping[str, str]) -> Iterator[_Complaint]:
    """Networks may share the label of a shape, but -k with it picks those and no others."""
    entries = document.table("networks")
    words = {**others, **{name: f"the network {name!r}" for name in entries}}
    seen: dict[str, str] = {}
    for name, entry in entries.items():
        for label in variant.labels(entry):
            if label in seen:
                continue
            location = ("networks", name, "input_shapes", label)
            yield from _unfit(location, label)
            yield from _overlap(location, label, words | seen)
            seen[label] = f"the label {label!r} of {name}"


def _unfit(location: Location, label: str) -> Iterator[_Complaint]:
    if _PART_OF_A_THREAD_LABEL.fullmatch(label):
        yield location, f"{label!r} is part of thread labels (t1): -k {label} would pick those too"
    if label in _OPERATORS_OF_K:
        yield location, f"{label!r} is an operator of pytest's -k and cannot be picked"


def _overlap(location: Location, word: str, others: Mapping[str, str]) -> Iterator[_Complaint]:
    for other, description in others.items():
        if word in other or other in word:
            shorter = min(word, other, key=len)
            yield location, f"{word!r} overlaps with {description}: -k {shorter} would pick both"
            return


def _named_once(document: Document) -> Iterator[_Complaint]:
    for grid in _grids(document):
        for key in ("networks", "except", "precisions", "axes", "threads"):
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
    _variants_have_names,
    _calibration_has_a_use,
    _one_budget_each,
    _loops_in_order,
    _default_is_a_choice,
    _labels_pick_exactly,
    _named_once,
    _exceptions_leave_some,
    _flags_set_once,
    _spanned,
    _ids_fit,
)
