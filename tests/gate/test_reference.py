from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.version import Version

from ncnn_peakmem.baselines import BaselineError, BaselineStore
from ncnn_peakmem.case import Case, Precision
from ncnn_peakmem.gate import Stored
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import (
    Gauge,
    Measurement,
    MeasurementSet,
    Metric,
    Outcome,
    OutcomeKind,
    Phase,
    Reading,
)

MACHINE = MachineClass("x86_64", ("avx2",), 1 << 20, 2, 4096, "glibc2.36")
FIRST, SECOND = Case("net", Precision.FP32, ()), Case("net", Precision.FP32, (), threads=2)


def measured(case: Case, peak: int) -> Measurement:
    reading = Reading(Outcome(OutcomeKind.OK), {Phase.FIRST: {Metric.PEAK: peak}})
    return Measurement(case.id, "digest", {Gauge.HEAP: reading})


@pytest.fixture
def store(tmp_path: Path) -> BaselineStore:
    """An old file with two cases, and a newer one that has the first of them only."""
    store = BaselineStore(tmp_path)
    old = {case.id: measured(case, 1) for case in (FIRST, SECOND)}
    store.update(MeasurementSet("1.0.20221128", MACHINE, old))
    store.update(MeasurementSet("1.0.20240410", MACHINE, {FIRST.id: measured(FIRST, 2)}))
    return store


@pytest.fixture
def stored(store: BaselineStore) -> Callable[[str], Stored]:
    return lambda version: Stored(store, MACHINE, Version(version))


@pytest.mark.parametrize(
    ("version", "first", "second"),
    [
        ("1.0.20261020", "1.0.20240410", "1.0.20221128"),
        ("1.0.20240410", "1.0.20240410", "1.0.20221128"),
        ("1.0.20230223", "1.0.20221128", "1.0.20221128"),
        ("1.0.20220729", None, None),
    ],
)
def test_each_case_is_judged_against_its_newest_figures_that_are_not_newer(
    stored: Callable[[str], Stored], version: str, first: str | None, second: str | None
) -> None:
    found = [stored(version).find(case) for case in (FIRST, SECOND)]

    assert [one and one.ncnn for one in found] == [first, second]


def test_only_the_same_version_is_the_same_build(stored: Callable[[str], Stored]) -> None:
    same, older = (stored("1.0.20240410").find(case) for case in (FIRST, SECOND))

    assert same is not None
    assert same.same_build
    assert older is not None
    assert not older.same_build


def test_a_case_that_no_file_has_is_not_found(stored: Callable[[str], Stored]) -> None:
    other = Case("net", Precision.FP32, (), threads=8)

    assert stored("1.0.20261020").find(other) is None
    assert stored("1.0.20261020").missing == "no baseline"


def test_why_nothing_applies_names_the_oldest(stored: Callable[[str], Stored]) -> None:
    told = stored("1.0.20220729").missing

    assert told == "no baseline of ncnn 1.0.20220729 or older (the oldest is 1.0.20221128)"


def test_an_older_file_is_read_only_where_it_is_needed(
    store: BaselineStore, stored: Callable[[str], Stored]
) -> None:
    store.path(MACHINE, Version("1.0.20221128")).write_text("{ torn")

    assert stored("1.0.20240410").find(FIRST) is not None
    with pytest.raises(BaselineError):
        stored("1.0.20240410").find(SECOND)
