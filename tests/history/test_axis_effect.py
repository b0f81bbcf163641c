from __future__ import annotations

from collections.abc import Mapping

from ncnn_peakmem.history import (
    NO_LABEL,
    Axis,
    Difference,
    Figure,
    History,
    axis_effects,
    differences,
)
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

MACHINE = MachineClass("x86_64", ("avx2",), 1048576, 2, 4096, "glibc2.36")
PEAK = Figure(Gauge.HEAP, Phase.FIRST, Metric.PEAK)
LIVE = Figure(Gauge.HEAP, Phase.FIRST, Metric.LIVE)
LIGHT = Axis("heavy", "light")


def released(ncnn: str, peaks: Mapping[str, int], models: Mapping[str, str] | None = None) -> MeasurementSet:
    def measured(case: str, peak: int) -> Measurement:
        phases = {Phase.FIRST: {Metric.PEAK: peak, Metric.LIVE: 1}}
        readings = {Gauge.HEAP: Reading(Outcome(OutcomeKind.OK), phases)}
        return Measurement(case, (models or {}).get(case, "model"), readings)

    return MeasurementSet(ncnn, MACHINE, {case: measured(case, peak) for case, peak in peaks.items()})


def axes(*cases: str) -> list[tuple[Axis, str, str]]:
    history = History(MACHINE, (released("1", dict.fromkeys(cases, 5)),))
    return [(found.axis, found.one, found.other) for found in differences(history, [PEAK])]


def exact(_: Difference) -> int:
    return 0


def test_cases_are_paired_that_differ_in_one_label() -> None:
    heavy_half, heavy_single, light_half, light_single = (
        f"net-fp32-{light}-{half}-t1" for light in ("heavy", "light") for half in ("half", "single")
    )
    assert axes(heavy_half, heavy_single, light_half, light_single) == [
        (Axis("half", "single"), heavy_half, heavy_single),
        (Axis("half", "single"), light_half, light_single),
        (LIGHT, heavy_half, light_half),
        (LIGHT, heavy_single, light_single),
    ]


def test_networks_are_no_axis() -> None:
    assert not axes("a-fp32-light-t1", "b-fp32-light-t1")


def test_labels_that_an_id_may_leave_out_are_compared_with_their_absence_only() -> None:
    bare, brain, wino = "net-fp32-light-t1", "net-fp32-light-brain-t1", "net-fp32-light-wino-t1"
    assert axes(bare, brain, wino) == [
        (Axis(NO_LABEL, "brain"), bare, brain),
        (Axis(NO_LABEL, "wino"), bare, wino),
    ]


def test_three_labels_make_three_axes() -> None:
    cases = [f"net-fp32-light-t{count}" for count in (1, 2, 4)]
    assert [axis for axis, _, _ in axes(*cases)] == [Axis("t1", "t2"), Axis("t1", "t4"), Axis("t2", "t4")]


def test_figures_of_different_models_are_not_compared() -> None:
    cases = {"net-fp32-light-t1": 5, "net-int8-light-t1": 3}
    history = History(MACHINE, (released("1", cases, {"net-int8-light-t1": "quantized"}),))
    assert not differences(history, [PEAK])


def test_every_release_that_has_both_cases_counts() -> None:
    heavy, light = "net-fp32-heavy-t1", "net-fp32-light-t1"
    releases = [
        released("1", {heavy: 100, light: 70}),
        released("2", {heavy: 100}),
        released("3", {heavy: 100, light: 95}),
        released("4", {heavy: 80, light: 80}),
    ]
    found = differences(History(MACHINE, tuple(releases)), [PEAK, LIVE])
    (effect,) = axis_effects(found, exact)
    assert (effect.axis, effect.network, effect.gauge) == (LIGHT, "net", Gauge.HEAP)
    assert (effect.pairs, effect.differing) == (6, 2)
    assert effect.least is not None
    assert effect.most is not None
    assert (effect.least.release, effect.least.bytes, effect.least.percent) == ("1", -30, -30.0)
    assert (effect.most.release, effect.most.bytes) == ("3", -5)


def test_what_may_be_noise_does_not_count() -> None:
    history = History(MACHINE, (released("1", {"net-fp32-heavy-t1": 100, "net-fp32-light-t1": 70}),))
    (effect,) = axis_effects(differences(history, [PEAK]), lambda found: found.bytes_one * 3 // 10)
    assert (effect.pairs, effect.differing, effect.least, effect.most) == (1, 0, None, None)


def test_networks_are_summed_up_apart() -> None:
    peaks = {"a-fp32-heavy-t1": 9, "a-fp32-light-t1": 5, "b-fp32-heavy-t1": 7, "b-fp32-light-t1": 7}
    effects = axis_effects(differences(History(MACHINE, (released("1", peaks),)), [PEAK]), exact)
    assert [(effect.network, effect.differing) for effect in effects] == [("a", 1), ("b", 0)]


def test_a_difference_from_nothing_has_no_per_cent() -> None:
    found = Difference(LIGHT, "1", PEAK, "one", "other", 0, 5)
    assert found.percent is None
    assert Difference(LIGHT, "1", PEAK, "one", "other", 0, 0).percent == 0
