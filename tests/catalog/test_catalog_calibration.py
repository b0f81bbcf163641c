"""Where a network's int8 scales come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from ncnn_peakmem.catalog import load
from ncnn_peakmem.network import Calibration, CalibrationMethod
from tests.catalog.mistaken import NETWORK, Write, changed, complaints, each


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "my.table").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("{}", Calibration()),
        ("{method: min_max, inputs: 5}", Calibration(CalibrationMethod.MIN_MAX, None, 5)),
        ("{data: data}", Calibration(data=Path("data"))),
        ("{table: my.table}", Calibration(table=Path("my.table"))),
    ],
)
def test_it_is_of_the_file_and_else_as_usual(
    write: Write, folder: Path, written: str, meant: Calibration
) -> None:
    found = (
        load(write((NETWORK, f"{{topology: alexnet, calibration: {written}}}")))
        .network("alexnet")
        .calibration
    )
    data, table = (path and folder / path for path in (meant.data, meant.table))
    assert found == Calibration(meant.method, data, meant.inputs, table)


INSIDE = (
    "allowed: a path inside the folder of models.yaml, or inside that of --peakmem-model-dir "
    "(--model-dir of ncnn-peakmem)"
)
MISTAKES = [
    ("calibration: {method: mean}", "calibration.method: 'mean' is no method; allowed: kl, min_max"),
    ("calibration: {inputs: 0}", "calibration.inputs: found 0; allowed: 1 or more"),
    ("calibration: {inputs: 10001}", "calibration.inputs: found 10001; allowed: 10000 or less"),
    (
        "calibration: {data: ../data}",
        f"calibration.data: '../data' climbs out of the folder it starts in; {INSIDE}",
    ),
    ("calibration: {data: my.table}", "calibration.data: 'my.table' is no folder (looked in {folder})"),
    ("calibration: {table: data}", "calibration.table: 'data' is no file (looked in {folder})"),
    (
        "calibration: {table: my.table, data: data}",
        "calibration.data: does not go with table, which has the scales already",
    ),
    (
        "calibration: {table: my.table, method: kl}",
        "calibration.method: does not go with table, which has the scales already",
    ),
    (
        "calibration: {table: my.table, inputs: 3}",
        "calibration.inputs: does not go with table, which has the scales already",
    ),
    (
        "calibration: {tabel: x}",
        "calibration.tabel: 'tabel' is no key (did you mean 'table'?); allowed: data, inputs, method, table",
    ),
    (
        "bin: my.table, precision: int8, calibration: {}",
        "calibration: does not go with precision 'int8'; allowed: with fp32",
    ),
    (
        "calibration: {inputs: 3}",
        "calibration: does not go with param alone, which has no weights; allowed: with bin too",
    ),
]


def _network(calibration: str, complaint: str) -> str:
    source = "param: my.table" if complaint.startswith("calibration: does") else "topology: alexnet"
    return f"{{{source}, {calibration}}}"


@each([(NETWORK, _network(new, text), text) for new, text in MISTAKES])
def test_a_mistake_is_told_with_line_key_and_what_is_allowed(
    write: Write, folder: Path, old: str, new: str, complaint: str
) -> None:
    path, line = changed(write, old, new)
    assert complaints(path) == [
        f"{path}:{line}: networks.alexnet.{complaint}".replace("{folder}", str(folder))
    ]
