"""Entries that stand for several networks, one for each of their labelled input shapes."""

from __future__ import annotations

import pytest

from ncnn_peakmem.catalog import CatalogError, load
from ncnn_peakmem.measurement import Gauge, Phase
from ncnn_peakmem.network import BuiltIn, Network
from tests.catalog.mistaken import GRID, NETWORK, Write, changed, complaints, each

TWO = "{topology: alexnet, input_shapes: {small: [[1, 3, 8, 8]], large: [[1, 3, 9, 9], [4]]}}"


def test_there_is_a_network_for_each_shape_and_none_of_the_entrys_name(write: Write) -> None:
    networks = load(write((NETWORK, TWO))).networks
    assert list(networks) == ["resnet18", "alexnet_small", "alexnet_large"]
    assert networks["alexnet_small"] == Network("alexnet_small", BuiltIn("alexnet"), ((1, 3, 8, 8),))
    assert networks["alexnet_large"].input_shapes == ((1, 3, 9, 9), (4,))


def test_they_share_all_else_that_the_entry_says(write: Write) -> None:
    own = (
        ", loops: {minimum: 30}, budget: {steady: 1 KiB}, tolerances: {heap: {same_release: {absolute: 7}}}}"
    )
    catalog = load(write((NETWORK, TWO[:-1] + own)))
    for name in ("alexnet_small", "alexnet_large"):
        assert catalog.network(name).loops.minimum == 30
        assert dict(catalog.budgets[name]) == {(Gauge.HEAP, Phase.STEADY): 1024}
        assert catalog.tolerances(name, 1)[Gauge.HEAP].same_release.absolute == 7


@pytest.mark.parametrize(
    ("networks", "meant"),
    [
        ("networks: all", ["resnet18", "alexnet_small", "alexnet_large"]),
        ("networks: [alexnet]", ["alexnet_small", "alexnet_large"]),
        ("networks: [alexnet_large, resnet18]", ["resnet18", "alexnet_large"]),
        ("networks: all, except: [alexnet]", ["resnet18"]),
        ("networks: all, except: [alexnet_small]", ["resnet18", "alexnet_large"]),
    ],
)
def test_a_grid_names_the_entry_or_one_of_its_networks(write: Write, networks: str, meant: list[str]) -> None:
    cases = load(write((NETWORK, TWO), (GRID, f"    - {{{networks}, axes: []}}\n"))).cases("small")
    assert [case.network for case in cases] == meant


def test_an_id_begins_with_the_networks_name(write: Write) -> None:
    assert "alexnet_small-fp32-light-t1" in load(write((NETWORK, TWO))).all_case_ids()


def test_the_entrys_own_name_is_no_network(write: Write) -> None:
    with pytest.raises(
        CatalogError, match=r"'alexnet' is no network .*; allowed: alexnet_large, alexnet_small"
    ):
        load(write((NETWORK, TWO))).network("alexnet")


def _labelled(label: str) -> str:
    return f"{{topology: alexnet, input_shapes: {{{label}: [[1, 3, 8, 8]]}}}}"


MISTAKES = [
    (NETWORK, "{topology: alexnet, input_shapes: {}}", "input_shapes: holds 0; allowed: 1 or more"),
    (NETWORK, _labelled("Big"), "input_shapes.Big: found 'Big'; allowed: lower-case letters, digits and _"),
    (
        NETWORK,
        "{topology: alexnet, input_shapes: {big: []}}",
        "input_shapes.big: holds 0; allowed: 1 or more",
    ),
    (
        NETWORK,
        "{topology: alexnet, input_shapes: {big: [[0]]}}",
        "input_shapes.big[0][0]: found 0; allowed: 1 or more",
    ),
    (NETWORK, "{topology: alexnet, input_shapes: {big: 3}}", "input_shapes.big: found 3; allowed: a list"),
    (
        NETWORK,
        _labelled("s224_heavy"),
        (
            "input_shapes.s224_heavy: 's224_heavy' overlaps with the label 'heavy' of lightmode: "
            "-k heavy would pick both"
        ),
    ),
    (
        NETWORK,
        _labelled("eavy"),
        "input_shapes.eavy: 'eavy' overlaps with the label 'heavy' of lightmode: -k eavy would pick both",
    ),
    (
        NETWORK,
        _labelled("net18"),
        "input_shapes.net18: 'net18' overlaps with the network 'resnet18': -k net18 would pick both",
    ),
    (
        NETWORK,
        _labelled("int8"),
        "input_shapes.int8: 'int8' overlaps with the precision 'int8': -k int8 would pick both",
    ),
    (
        NETWORK,
        _labelled("256"),
        "input_shapes.256: '256' is part of thread labels (t1): -k 256 would pick those too",
    ),
    (NETWORK, _labelled("not"), "input_shapes.not: 'not' is an operator of pytest's -k and cannot be picked"),
    (
        NETWORK,
        _labelled("z" * 60),
        f"input_shapes.{'z' * 60}: makes the name 'alexnet_{'z' * 60}'; allowed: up to 64 characters",
    ),
    (
        NETWORK,
        "\n    topology: alexnet\n    input_shapes:\n      px22: [[1]]\n      px224: [[2]]  #!",
        "input_shapes.px224: 'px224' overlaps with the label 'px22' of alexnet: -k px22 would pick both",
    ),
]


@each(MISTAKES)
def test_a_mistake_is_told_with_line_key_and_what_is_allowed(
    write: Write, old: str, new: str, complaint: str
) -> None:
    path, line = changed(write, old, new)
    assert complaints(path) == [f"{path}:{line}: networks.alexnet.{complaint}"]


def test_a_name_that_another_network_has(write: Write) -> None:
    path = write((NETWORK, _labelled("b_c") + "\n  alexnet_b: {topology: vgg16, input_shapes: {c: [[1]]}}"))
    told = "networks.alexnet_b.input_shapes.c: makes the name 'alexnet_b_c', which another network has"
    assert f"{path}:9: {told}" in complaints(path)


def test_networks_may_share_a_label(write: Write) -> None:
    path = write(
        (NETWORK, _labelled("px8") + "\n  vgg: {topology: vgg16, input_shapes: {px8: [[1, 3, 8, 8]]}}")
    )
    assert list(load(path).networks) == ["resnet18", "alexnet_px8", "vgg_px8"]


def test_an_entry_and_one_of_its_networks_in_one_grid_are_one(write: Write) -> None:
    grid = "    - {networks: [alexnet_small, alexnet], axes: []}\n"
    assert len(load(write((NETWORK, TWO), (GRID, grid))).cases("small")) == 2


def test_more_labels_than_can_be_compared(write: Write) -> None:
    shapes = ", ".join(f"px{number}x: [[1]]" for number in range(513))
    path = write((NETWORK, f"{{topology: alexnet, input_shapes: {{{shapes}}}}}"))
    assert complaints(path) == [f"{path}:6: networks: has more than 512 labels of input shapes in all"]
