from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from ncnn_peakmem.baselines import BaselineError, BaselineStore, record
from ncnn_peakmem.measurement import MeasurementSet
from tests.properties.strategies import measurement_sets, measurements

PATH = Path("machine", "1.0.20261020.json")


@given(measurement_sets())
def test_a_file_is_read_as_it_was_written(measured: MeasurementSet) -> None:
    assert record.parse(record.render(measured), PATH) == measured


@given(st.one_of(st.binary(), st.text().map(str.encode)))
def test_any_bytes_are_a_baseline_or_refused(data: bytes) -> None:
    with suppress(BaselineError):
        record.parse(data, PATH)


@given(measurement_sets(), st.data())
def test_a_file_cut_short_is_refused(measured: MeasurementSet, data: st.DataObject) -> None:
    text = record.render(measured).rstrip()
    kept = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(BaselineError):
        record.parse(text[:kept], PATH)


@given(measurement_sets(), st.data())
def test_whatever_stands_in_place_of_a_value_is_refused_or_read(
    measured: MeasurementSet, data: st.DataObject
) -> None:
    document = json.loads(record.render(measured))
    place: Any = document
    while isinstance(place, dict) and place:
        key = data.draw(st.sampled_from(sorted(place)))
        if data.draw(st.booleans()):
            place[key] = data.draw(st.one_of(st.none(), st.integers(), st.text(), st.just([]), st.just({})))
            break
        place = place[key]
    with suppress(BaselineError):
        record.parse(json.dumps(document).encode(), PATH)


@given(measurement_sets(), st.lists(measurements(), max_size=3))
def test_an_update_touches_nothing_but_what_ran(before: MeasurementSet, ran: list[Any]) -> None:
    fresh = MeasurementSet(before.ncnn, before.machine, {found.case: found for found in ran})
    with TemporaryDirectory() as folder:
        store = BaselineStore(Path(folder))
        store.update(before)
        store.update(fresh)
        if not before.cases and not fresh.cases:
            return
        after = store.load(before.machine, Version(before.ncnn)).cases
    assert after.keys() == before.cases.keys() | fresh.cases.keys()
    for case, stored in after.items():
        if case not in fresh.cases:
            assert stored == before.cases[case]
            continue
        new, old = fresh.cases[case], before.cases.get(case)
        kept = old.readings if old is not None and old.model == new.model else {}
        assert stored.model == new.model
        assert stored.readings == {**kept, **new.readings}


@given(measurement_sets())
def test_an_update_with_the_same_again_changes_no_byte(measured: MeasurementSet) -> None:
    with TemporaryDirectory() as folder:
        store = BaselineStore(Path(folder))
        path = store.update(measured).path
        once = path.read_bytes() if path.exists() else b""
        store.update(measured)
        assert (path.read_bytes() if path.exists() else b"") == once
