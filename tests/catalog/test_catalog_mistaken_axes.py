"""Mistakes in a catalog's axes: their choices, and the labels that name them."""

from __future__ import annotations

from ncnn_peakmem.catalog import KNOWN_OPTIONS
from tests.catalog.mistaken import Write, changed, complaints, each

HEAVY = "      heavy: {lightmode: false}\n"
OPTIONS = ", ".join(sorted(KNOWN_OPTIONS))
AXES = [
    (
        "heavy: {lightmode: false}",
        "heavy: {lightmod: false}",
        (
            "axes.lightmode.choices.heavy.lightmod: "
            f"'lightmod' is no ncnn option (did you mean 'lightmode'?); allowed: {OPTIONS}"
        ),
    ),
    (
        "heavy: {lightmode: false}",
        "heavy: {lightmode: off}",
        "axes.lightmode.choices.heavy.lightmode: found 'off'; allowed: true, false",
    ),
    (HEAVY, "      heavy: false\n", "axes.lightmode.choices.heavy: found false; allowed: a mapping"),
    (
        "    choices:\n      light: {lightmode: true}\n" + HEAVY,
        "    choices: {light: {lightmode: true}}\n",
        "axes.lightmode.choices: holds 1; allowed: 2 or more",
    ),
    (
        "default: light",
        "default: lihgt",
        (
            "axes.lightmode.default: 'lihgt' is no choice of lightmode (did you mean 'light'?); "
            "allowed: heavy, light"
        ),
    ),
    (
        "id: unless_default",
        "id: sometimes",
        "axes.sgemm.id: 'sometimes' is no rule for the id; allowed: always, unless_default",
    ),
]

LABELS = [
    ("Heavy", "found 'Heavy'; allowed: lower-case letters, digits and _"),
    ("lighter", "'lighter' overlaps with the label 'light' of lightmode: -k light would pick both"),
    ("igh", "'igh' overlaps with the label 'light' of lightmode: -k igh would pick both"),
    ("p3", "'p3' overlaps with the precision 'fp32': -k p3 would pick both"),
    ("no_int8", "'no_int8' overlaps with the precision 'int8': -k int8 would pick both"),
    ("t7", "'t7' is part of thread labels (t1): -k t7 would pick those too"),
    ("7", "'7' is part of thread labels (t1): -k 7 would pick those too"),
    ("or", "'or' is an operator of pytest's -k and cannot be picked"),
]

MISTAKES = [
    *AXES,
    *(("naive", label, f"axes.sgemm.choices.{label}: {text}") for label, text in LABELS),
]


@each(MISTAKES)
def test_a_mistake_is_told_with_line_key_and_what_is_allowed(
    write: Write, old: str, new: str, complaint: str
) -> None:
    path, line = changed(write, old, new)
    assert complaints(path) == [f"{path}:{line}: {complaint}"]


def test_one_label_of_two_axes(write: Write) -> None:
    path = write(("gemm: {use", "heavy: {use"), ("default: gemm", "default: heavy"))
    assert complaints(path) == [
        (
            f"{path}:18: axes.sgemm.choices.heavy: 'heavy' overlaps with the label 'heavy' of lightmode: "
            "-k heavy would pick both"
        )
    ]


def test_a_flag_of_two_axes_that_are_in_every_case(write: Write) -> None:
    path = write(
        ("naive: {use_sgemm_convolution: false}", "naive: {lightmode: false}"),
        ("id: unless_default", "id: always"),
    )
    assert complaints(path) == [
        f"{path}:16: axes.sgemm: sets lightmode, as 'lightmode' does, and both are part of every case"
    ]
