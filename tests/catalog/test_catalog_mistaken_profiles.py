"""Mistakes in a catalog's profiles, and in the cases that they make."""

from __future__ import annotations

from ncnn_peakmem.catalog import load
from tests.catalog.mistaken import GRID, Write, blamed_line, changed, complaints, each

# An axis more, which sets a flag that `sgemm` sets too.
WINO = """\
  wino:
    choices:
      a1: {use_winograd_convolution: true}
      b1: {use_sgemm_convolution: false}
    default: a1
    id: unless_default
"""
WITH_WINO = ("  sgemm:\n", WINO + "  sgemm:\n")

FOUR_LONG_AXES = "".join(
    f"  axis{place}: {{choices: {{{letter * 50}: {{}}, {letter}b: {{}}}}, default: {letter}b, "
    f"id: {showing}}}\n"
    for place, (letter, showing) in enumerate(zip("wxyz", ["unless_default"] * 3 + ["always"], strict=True))
)

MISTAKES = [
    (
        "axes: [lightmode]",
        "axes:\n       [lightmode,\n       sgem]  #!\n      ",
        "profiles.small[0].axes[1]: 'sgem' is no axis (did you mean 'sgemm'?); allowed: lightmode, sgemm",
    ),
    (
        "networks: all",
        "networks: [alexnet, alexnett]",
        (
            "profiles.small[0].networks[1]: 'alexnett' is no network (did you mean 'alexnet'?); "
            "allowed: alexnet, resnet18"
        ),
    ),
    (
        "networks: all",
        "networks: alexnet",
        "profiles.small[0].networks: found 'alexnet'; allowed: all, or a list of networks",
    ),
    ("networks: all", "networks: []", "profiles.small[0].networks: holds 0; allowed: 1 or more"),
    (
        "networks: all",
        "networks: [alexnet, alexnet]",
        "profiles.small[0].networks[1]: 'alexnet' is here twice",
    ),
    ("axes: [lightmode]", "axes: [sgemm, sgemm]", "profiles.small[0].axes[1]: 'sgemm' is here twice"),
    ("threads: [1]", "threads: [1, 0]", "profiles.small[0].threads[1]: found 0; allowed: 1 or more"),
    ("threads: [1]", "threads: [yes]", "profiles.small[0].threads[0]: found 'yes'; allowed: a whole number"),
    ("threads: [1]", "threads: [2, 4, 2]", "profiles.small[0].threads[2]: 2 is here twice"),
    ("threads: [1]", "threads: 1", "profiles.small[0].threads: found 1; allowed: a list"),
    (
        "threads: [1]",
        "thread: [1]",
        (
            "profiles.small[0].thread: 'thread' is no key (did you mean 'threads'?); "
            "allowed: axes, cover, except, networks, precisions, threads"
        ),
    ),
    (GRID, GRID + "  none: []  #!\n", "profiles.none: holds 0; allowed: 1 or more"),
    (
        GRID,
        GRID + "  Big:  #!\n" + GRID,
        "profiles.Big: found 'Big'; allowed: lower-case letters, digits and _",
    ),
]


@each(MISTAKES)
def test_a_mistake_is_told_with_line_key_and_what_is_allowed(
    write: Write, old: str, new: str, complaint: str
) -> None:
    path, line = changed(write, old, new)
    assert complaints(path) == [f"{path}:{line}: {complaint}"]


def test_an_id_that_no_file_can_be_named_after(write: Write) -> None:
    path = write(
        ("axes:\n", f"axes:\n{FOUR_LONG_AXES}"),
        (GRID, GRID + "    - {networks: [alexnet], axes: [axis3, axis0, axis1, axis2]}  #!\n"),
    )
    length = len("alexnet-fp32-light-t1024") + 4 * len("-" + 50 * "z")
    assert complaints(path) == [
        (
            f"{path}:{blamed_line(path, 0)}: profiles.small[1]: makes ids of up to {length} characters; "
            "allowed: up to 200, so shorten names and labels"
        )
    ]


def test_long_labels_that_never_meet_are_allowed(write: Write) -> None:
    path = write(
        ("axes:\n", f"axes:\n{FOUR_LONG_AXES}"),
        (
            GRID,
            GRID
            + "    - {networks: all, axes: [axis0, axis1]}\n    - {networks: all, axes: [axis2, axis3]}\n",
        ),
    )
    cases = load(path).cases("small")
    assert max(len(case.id) for case in cases) == len("resnet18-fp32-zb-light-t1") + 2 * len("-" + 50 * "w")


def test_a_flag_that_two_axes_of_a_grid_set(write: Write) -> None:
    path = write(
        WITH_WINO,
        (
            GRID,
            GRID + "    - {networks: all, axes: [wino]}\n    - networks: all\n      axes:\n"
            "        - wino\n        - sgemm  #!\n",
        ),
    )
    assert complaints(path) == [
        (
            f"{path}:{blamed_line(path, 0)}: profiles.small[2].axes[1]: "
            "'sgemm' sets use_sgemm_convolution, as 'wino' does in the same grid"
        )
    ]


def test_a_flag_of_an_axis_that_is_in_every_grid_unlisted(write: Write) -> None:
    path = write(
        ("naive: {use_sgemm_convolution: false}", "naive: {lightmode: false}"), ("[lightmode]", "[sgemm]")
    )
    assert complaints(path) == [
        f"{path}:24: profiles.small[0].axes[0]: 'sgemm' sets lightmode, as 'lightmode' does in the same grid"
    ]


def test_two_axes_that_never_meet_may_set_one_flag(write: Write) -> None:
    path = write(
        WITH_WINO,
        (GRID, GRID + "    - {networks: all, axes: [wino]}\n    - {networks: all, axes: [sgemm]}\n"),
    )
    assert len(load(path).cases("small")) == 2 * 4
