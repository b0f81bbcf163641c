from __future__ import annotations

import json
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ncnn_peakmem.baselines import Verdict, VerdictKind
from ncnn_peakmem.measurement import Measurement, MeasurementSet, Phase
from ncnn_peakmem.probe.plateau import Plateau
from ncnn_peakmem.reports import RunReport, json_report
from tests.properties.strategies import BYTES, measurement_sets, measurements

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=10,
)


@given(measurements())
def test_a_measurement_is_read_as_it_was_written(measured: Measurement) -> None:
    assert Measurement.from_json(measured.to_json()) == measured


@given(st.one_of(st.binary(), st.text().map(str.encode)))
def test_any_bytes_are_a_measurement_or_refused(text: bytes) -> None:
    with suppress(ValidationError):
        Measurement.from_json(text)


@given(measurements(whole=True))
def test_net_figures_are_above_the_floor(measured: Measurement) -> None:
    for reading in measured.readings.values():
        for phase in Phase:
            for metric in reading.phases[phase]:
                gross, net = reading.gross(phase, metric), reading.net(phase, metric)
                assert gross is not None
                assert net is not None
                assert net + reading.floor(metric) == gross
                assert (reading.peak(metric) or 0) >= gross


@given(measurement_sets(), st.data())
def test_a_report_is_read_as_it_was_written(measured: MeasurementSet, data: st.DataObject) -> None:
    verdicts = tuple(
        Verdict(case, data.draw(st.sampled_from(VerdictKind)), data.draw(st.text()))
        for case in measured.cases
    )
    report = RunReport(measured, verdicts, title=data.draw(st.text()), stale=("a-fp32-t1",))
    assert json_report.parse(json_report.render(report)) == (report,)


@given(measurement_sets(), st.data())
def test_a_report_with_anything_anywhere_is_read_or_refused(
    measured: MeasurementSet, data: st.DataObject
) -> None:
    document = json.loads(json_report.render(RunReport(measured)))
    place = document
    while isinstance(place, dict | list) and place:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if data.draw(st.booleans()):
            place[key] = data.draw(JSON)
            break
        place = place[key]
    with suppress(ValueError):
        json_report.parse(json.dumps(document))


@given(st.lists(st.tuples(BYTES, BYTES), min_size=1))
def test_a_plateau_was_reached_with_the_last_new_highest_figure(loops: list[tuple[int, int]]) -> None:
    plateau = Plateau()
    for figures in loops:
        plateau.look(*figures)
    highest = [tuple(map(max, zip(*loops[: number + 1], strict=True))) for number in range(len(loops))]
    assert plateau.loops == len(loops)
    assert plateau.settled_at == highest.index(highest[-1])
