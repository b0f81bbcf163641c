"""Mistakes in a catalog: each with its line, its key and what is allowed, all at once."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from ncnn_peakmem.catalog import KNOWN_OPTIONS, CatalogError, load
from ncnn_peakmem.catalog.mistake import shown
from ncnn_peakmem.networks import TOPOLOGIES

Write = Callable[..., Path]

GRID = "    - {networks: all, axes: [lightmode], threads: [1]}\n"
NETWORK = "{topology: alexnet}"
HEAVY = "      heavy: {lightmode: false}\n"
ALLOWED_TOPOLOGIES = ", ".join(sorted(TOPOLOGIES))
OPTIONS = ", ".join(sorted(KNOWN_OPTIONS))
NETWORK_KEYS = "bin, input_shapes, loops, onnx, param, precision, seed, tolerances, topology"
SIZES = "whole bytes such as 16384, or a size such as 16 KiB, 4 MiB, 1 GiB"

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

SETTINGS = [
    ("schema: 1\n", "schema: 2\n", "schema: found 2; allowed: 1"),
    ("schema: 1\n", "schema: true\n", "schema: found true; allowed: 1"),
    ("schema: 1\n", "", "schema: is missing"),
    (
        "schema: 1\n",
        "schema: 1\nnetwork: {}  #!\n",
        (
            "network: 'network' is no key (did you mean 'networks'?); allowed: axes, default_profile, loops, "
            "networks, profiles, reference_release, schema, step_timeout_seconds, tolerances"
        ),
    ),
    (
        "default_profile: small",
        "default_profile: smal",
        "default_profile: 'smal' is no profile (did you mean 'small'?); allowed: small",
    ),
    ("1.0.20260526", "1.0", "reference_release: found 1.0; allowed: text"),
    (
        "1.0.20260526",
        "last year",
        "reference_release: found 'last year'; allowed: a version of ncnn such as 1.0.20260526",
    ),
    ("seconds: 120", "seconds: 0", "step_timeout_seconds: found 0; allowed: more than 0"),
    ("seconds: 120", "seconds: 1e999", "step_timeout_seconds: found inf; allowed: a finite number"),
    ("seconds: 120", "seconds: 2 min", "step_timeout_seconds: found '2 min'; allowed: a number"),
    ("minimum: 12", "minimum: 0", "loops.minimum: found 0; allowed: 1 or more"),
    ("minimum: 12", "minimum: 1.5", "loops.minimum: found 1.5; allowed: a whole number"),
    ("minimum: 12", "minimum: ", "loops.minimum: found nothing; allowed: a whole number"),
    ("factor: 2", "factor: 0.5", "loops.settle_factor: found 0.5; allowed: 1 or more"),
    ("maximum: 400", "maximum: 11", "loops: found minimum 12; allowed: up to the maximum, 11"),
]

NETWORK_ENTRIES = [
    (
        NETWORK,
        "{topology: alexnt}",
        (
            "networks.alexnet.topology: 'alexnt' is no built-in topology (did you mean 'alexnet'?); "
            f"allowed: {ALLOWED_TOPOLOGIES}"
        ),
    ),
    (
        NETWORK,
        "{topology: }",
        f"networks.alexnet.topology: nothing is no built-in topology; allowed: {ALLOWED_TOPOLOGIES}",
    ),
    (NETWORK, "~", "networks.alexnet: found nothing; allowed: a mapping"),
    (NETWORK, "{}", "networks.alexnet: found no source; allowed: one of topology, onnx, param"),
    (
        NETWORK,
        "{topology: alexnet, onnx: models.yaml}",
        "networks.alexnet: found topology and onnx; allowed: one of topology, onnx, param",
    ),
    (
        NETWORK,
        "{onnx: models.yaml, bin: models.yaml}",
        "networks.alexnet.bin: does not go with onnx; allowed: with param",
    ),
    (
        NETWORK,
        "{onnx: models.yaml, seed: 3}",
        "networks.alexnet.seed: does not go with onnx; allowed: with topology",
    ),
    (
        NETWORK,
        "\n    topology: alexnet\n    input_shapes: [[1]]  #!",
        "networks.alexnet.input_shapes: does not go with topology; allowed: with onnx or param",
    ),
    (
        NETWORK,
        "\n    onnx: models.yaml\n    input_shapes:\n      - [1, 3]\n      - [1,\n         0]  #!",
        "networks.alexnet.input_shapes[1][1]: found 0; allowed: 1 or more",
    ),
    (
        NETWORK,
        "{onnx: models.yaml, input_shapes: [[]]}",
        "networks.alexnet.input_shapes[0]: holds 0; allowed: 1 or more",
    ),
    (
        NETWORK,
        "{onnx: models.yaml, input_shapes: 224}",
        "networks.alexnet.input_shapes: found 224; allowed: a list",
    ),
    (
        NETWORK,
        "{topology: alexnet, topologie: x}",
        (
            "networks.alexnet.topologie: 'topologie' is no key (did you mean 'topology'?); "
            f"allowed: {NETWORK_KEYS}"
        ),
    ),
    (NETWORK, "{topology: alexnet, seed: -1}", "networks.alexnet.seed: found -1; allowed: 0 or more"),
    (
        NETWORK,
        "{topology: alexnet, precision: fp8}",
        "networks.alexnet.precision: 'fp8' is no precision; allowed: fp16, fp32, int8",
    ),
    (NETWORK, "{param: models.yaml, bin: }", "networks.alexnet.bin: found nothing; allowed: a path"),
    (
        NETWORK,
        "\n    topology: alexnet\n    loops:  #!\n      minimum: 401",
        "networks.alexnet.loops: found minimum 401; allowed: up to the maximum, 400",
    ),
    (
        NETWORK,
        "\n    topology: alexnet\n    loops:\n      minimun: 3  #!",
        (
            "networks.alexnet.loops.minimun: 'minimun' is no key (did you mean 'minimum'?); "
            "allowed: maximum, minimum, settle_factor"
        ),
    ),
    (
        NETWORK,
        "\n    topology: alexnet\n    tolerances:\n      heep: {}  #!",
        (
            "networks.alexnet.tolerances.heep: 'heep' is no gauge (did you mean 'heap'?); "
            "allowed: deployed, heap, pages"
        ),
    ),
    (
        "alexnet:",
        "Alex-Net:",
        "networks.Alex-Net: found 'Alex-Net'; allowed: lower-case letters, digits and _",
    ),
    ("alexnet:", "'a\\nb':", r"networks.'a\\nb': found 'a\\nb'; allowed: lower-case letters, digits and _"),
    (
        "alexnet:",
        "highlight:",
        (
            "networks.highlight: 'highlight' overlaps with the label 'light' of lightmode: "
            "-k light would pick both"
        ),
    ),
    (
        "alexnet:",
        "nai:",
        "networks.nai: 'nai' overlaps with the label 'naive' of sgemm: -k nai would pick both",
    ),
]

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

PROFILES = [
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
            "allowed: axes, networks, threads"
        ),
    ),
    (GRID, GRID + "  none: []  #!\n", "profiles.none: holds 0; allowed: 1 or more"),
    (
        GRID,
        GRID + "  Big:  #!\n" + GRID,
        "profiles.Big: found 'Big'; allowed: lower-case letters, digits and _",
    ),
]

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

ONE_MISTAKE = [
    *SETTINGS,
    *NETWORK_ENTRIES,
    *AXES,
    *PROFILES,
    *((old, new, f"tolerances.heap.between_releases.{text}") for old, new, text in TOLERANCES),
    *(("naive", label, f"axes.sgemm.choices.{label}: {text}") for label, text in LABELS),
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


def _blamed_line(path: Path, start: int) -> int:
    """The line with the marker `#!`, or else the one on which the change starts."""
    text = path.read_text(encoding="utf-8")
    return text.count("\n", 0, text.index("#!") if "#!" in text else start) + 1


def _complaints(path: Path) -> list[str]:
    with pytest.raises(CatalogError) as caught:
        load(path)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(("old", "new", "complaint"), ONE_MISTAKE, ids=[text for *_, text in ONE_MISTAKE])
def test_a_mistake_is_told_with_line_key_and_what_is_allowed(
    write: Write, old: str, new: str, complaint: str
) -> None:
    start = write().read_text(encoding="utf-8").index(old)
    path = write((old, new))
    assert _complaints(path) == [f"{path}:{_blamed_line(path, start)}: {complaint}"]


@pytest.mark.parametrize("key", ["onnx", "param"])
@pytest.mark.parametrize("file", ["none.onnx", "nets", "x" * 300])
def test_a_file_that_is_not_there(write: Write, tmp_path: Path, key: str, file: str) -> None:
    (tmp_path / "nets").mkdir()
    path = write((NETWORK, f"{{{key}: {file}}}"))
    (complaint,) = _complaints(path)
    assert complaint.startswith(f"{path}:8: networks.alexnet.{key}: {shown(file)} ")
    assert complaint.endswith((f"is no file (looked in {tmp_path})", "File name too long"))


def test_one_label_of_two_axes(write: Write) -> None:
    path = write(("gemm: {use", "heavy: {use"), ("default: gemm", "default: heavy"))
    assert _complaints(path) == [
        (
            f"{path}:18: axes.sgemm.choices.heavy: 'heavy' overlaps with the label 'heavy' of lightmode: "
            "-k heavy would pick both"
        )
    ]


FOUR_LONG_AXES = "".join(
    f"  axis{place}: {{choices: {{{letter * 50}: {{}}, {letter}b: {{}}}}, default: {letter}b, "
    f"id: {showing}}}\n"
    for place, (letter, showing) in enumerate(zip("wxyz", ["unless_default"] * 3 + ["always"], strict=True))
)


def test_an_id_that_no_file_can_be_named_after(write: Write) -> None:
    path = write(
        ("axes:\n", f"axes:\n{FOUR_LONG_AXES}"),
        (GRID, GRID + "    - {networks: [alexnet], axes: [axis3, axis0, axis1, axis2]}  #!\n"),
    )
    length = len("alexnet-fp32-light-t1024") + 4 * len("-" + 50 * "z")
    assert _complaints(path) == [
        (
            f"{path}:{_blamed_line(path, 0)}: profiles.small[1]: makes ids of up to {length} characters; "
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
    assert _complaints(path) == [
        (
            f"{path}:{_blamed_line(path, 0)}: profiles.small[2].axes[1]: "
            "'sgemm' sets use_sgemm_convolution, as 'wino' does in the same grid"
        )
    ]


def test_a_flag_of_an_axis_that_is_in_every_grid_unlisted(write: Write) -> None:
    path = write(
        ("naive: {use_sgemm_convolution: false}", "naive: {lightmode: false}"), ("[lightmode]", "[sgemm]")
    )
    assert _complaints(path) == [
        f"{path}:24: profiles.small[0].axes[0]: 'sgemm' sets lightmode, as 'lightmode' does in the same grid"
    ]


def test_a_flag_of_two_axes_that_are_in_every_case(write: Write) -> None:
    path = write(
        ("naive: {use_sgemm_convolution: false}", "naive: {lightmode: false}"),
        ("id: unless_default", "id: always"),
    )
    assert _complaints(path) == [
        f"{path}:16: axes.sgemm: sets lightmode, as 'lightmode' does, and both are part of every case"
    ]


def test_two_axes_that_never_meet_may_set_one_flag(write: Write) -> None:
    path = write(
        WITH_WINO,
        (GRID, GRID + "    - {networks: all, axes: [wino]}\n    - {networks: all, axes: [sgemm]}\n"),
    )
    assert len(load(path).cases("small")) == 2 * 4


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.touch()
    assert _complaints(path) == [f"{path}:1: found nothing; allowed: a mapping"]


def test_a_network_given_twice(write: Write) -> None:
    path = write(("  alexnet:", "  resnet18:"))
    assert _complaints(path) == [f"{path}:8: networks.resnet18: 'resnet18' is here twice, first in line 7"]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(write: Write) -> None:
    path = write(
        ("schema: 1", "schema: 3"),
        ("minimum: 12", "minimum: 500"),
        (NETWORK, "{topology: alexnt, loops: {minimun: 1}}"),
        ("      naive: ", "      gemm: "),
        ("    default: gemm", "    default: gem"),
        ("axes: [lightmode]", "axes: [lightmod]"),
        ("  pages:", "  pagse:"),
    )
    places = [complaint.removeprefix(f"{path}:").split(": ")[:2] for complaint in _complaints(path)]
    assert places == [
        ["1", "schema"],
        ["5", "loops"],
        ["8", "networks.alexnet.topology"],
        ["8", "networks.alexnet.loops.minimun"],
        ["17", "axes.sgemm.choices"],
        ["19", "axes.sgemm.choices.gemm"],
        ["20", "axes.sgemm.default"],
        ["24", "profiles.small[0].axes[0]"],
        ["25", "tolerances.pages"],
        ["29", "tolerances.pagse"],
    ]


def test_the_error_survives_the_way_between_processes(write: Write) -> None:
    with pytest.raises(CatalogError) as caught:
        load(write(("schema: 1", "schema: 3")))
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert again.mistakes == caught.value.mistakes
