"""Mistakes in a catalog's tolerances."""

from __future__ import annotations

from tests.catalog.mistaken import Write, changed, complaints, each

SIZES = "whole bytes such as 16384, or a size such as 16 KiB, 4 MiB, 1 GiB"
TOLERANCES = [
    ("16 KiB, relative: 0.1 %", "16 KB, relative: 0.1 %", f"absolute: found '16 KB'; allowed: {SIZES}"),
    ("16 KiB, relative: 0.1 %", "-1, relative: 0.1 %", f"absolute: found -1; allowed: {SIZES}"),
    (
        "relative: 0.1 %",
        "relative: 0.1",
        "relative: found 0.1 without a %; allowed: a percentage such as 0.1 %",
    ),
    ("relative: 0.1 %", "relative: much", "relative: found 'much'; allowed: a percentage such as 0.1 %"),
    ("absolute: 16 KiB, relative: 0.1 %", "absolute: 16 KiB", "relative: is missing"),
    (
        "absolute: 16 KiB, relative: 0.1 %",
        "absolute: 1, relative: 1 %, relativ: 1 %",
        "relativ: 'relativ' is no key (did you mean 'relative'?); allowed: absolute, relative",
    ),
]

MISTAKES = [
    *((old, new, f"tolerances.heap.between_releases.{text}") for old, new, text in TOLERANCES),
    (
        "  pages:\n",
        "  page: {}  #!\n  pages:\n",
        "tolerances.page: 'page' is no gauge (did you mean 'pages'?); allowed: deployed, heap, pages",
    ),
    (
        "  pages:\n    between_releases:",
        "  pages:\n    between: {}  #!\n    between_releases:",
        (
            "tolerances.pages.between: 'between' is no comparison (did you mean 'between_releases'?); "
            "allowed: between_releases, same_release, several_threads"
        ),
    ),
    (
        "  pages:\n    between_releases:",
        "  pages:\n    several_threads:\n      same: {}  #!\n    between_releases:",
        (
            "tolerances.pages.several_threads.same: 'same' is no comparison; "
            "allowed: between_releases, same_release"
        ),
    ),
    (
        "  pages:\n    between_releases:",
        "  pages:\n    several_threads: {same_release: {relative: 5}}  #!\n    between_releases:",
        (
            "tolerances.pages.several_threads.same_release.relative: found 5 without a %; "
            "allowed: a percentage such as 0.1 %"
        ),
    ),
]


@each(MISTAKES)
def test_a_mistake_is_told_with_line_key_and_what_is_allowed(
    write: Write, old: str, new: str, complaint: str
) -> None:
    path, line = changed(write, old, new)
    assert complaints(path) == [f"{path}:{line}: {complaint}"]
