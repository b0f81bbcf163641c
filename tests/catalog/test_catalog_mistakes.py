"""Mistakes in a catalog: each with its line, its key and what is allowed, all at once."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from ncnn_peakmem.catalog import CatalogError, load
from tests.catalog.mistaken import NETWORK, Write, complaints


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.touch()
    assert complaints(path) == [f"{path}:1: found nothing; allowed: a mapping"]


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
    places = [complaint.removeprefix(f"{path}:").split(": ")[:2] for complaint in complaints(path)]
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
