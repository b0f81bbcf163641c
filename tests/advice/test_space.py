"""Setups as cases and in words, and the ratio of times."""

from __future__ import annotations

import pytest

from ncnn_peakmem.advice import Setup
from ncnn_peakmem.advice.timing import Ratio, Timing, ratio
from ncnn_peakmem.case import Precision
from ncnn_peakmem.measurement import Outcome, OutcomeKind
from tests.advice.landscape import AXES, axis, space

FP32, INT8 = Precision.FP32, Precision.INT8


@pytest.mark.parametrize(
    ("setup", "case_id", "words"),
    [
        (Setup(FP32, 1), "net-fp32-light-q8-t1", "default"),
        (Setup(FP32, 1, (("winograd", "less43"),)), "net-fp32-light-q8-less43-t1", "winograd43 off"),
        (
            Setup(FP32, 1, (("winograd", "only23"),)),
            "net-fp32-light-q8-only23-t1",
            "winograd43 off and winograd63 off",
        ),
        (Setup(INT8, 2), "net-int8-light-q8-t2", "int8 weights, 2 threads"),
        (
            Setup(FP32, 1, (("lightmode", "heavy"), ("int8", "plain"))),
            "net-fp32-heavy-plain-t1",
            "lightmode off, int8 off",
        ),
    ],
)
def test_a_setup_is_a_case_of_the_catalog(setup: Setup, case_id: str, words: str) -> None:
    found = space([FP32, INT8], [1, 2])

    assert found.case(setup).id == case_id
    assert found.words(setup) == words


def test_flags_are_those_that_are_not_as_by_default() -> None:
    both = Setup(FP32, 1, (("lightmode", "heavy"), ("winograd", "less43")))

    assert space().flags(both) == {"lightmode": False, "use_winograd43_convolution": False}


def test_a_flag_that_two_axes_set_is_set_by_one_of_them() -> None:
    again = axis("again", one={"lightmode": True}, other={"lightmode": False})
    found = space(axes={**AXES, "again": again})

    heavy = Setup(FP32, 1, (("lightmode", "heavy"),))
    assert not [step for step in found.steps(heavy) if "again" in step.axes]
    assert [step for step in found.steps(found.origin) if "again" in step.axes]


def test_the_interval_leaves_out_what_luck_may_bring() -> None:
    assert ratio([1.0, 1.1, 1.2]) == Ratio(1.1, 1.0, 1.2)
    assert ratio([*range(1, 22)]) == Ratio(11, 6, 16)
    assert ratio([*range(1, 7)]) == Ratio(3.5, 1, 6)
    with pytest.raises(ValueError, match="nothing was timed"):
        ratio([])


def test_one_slow_pair_moves_no_ratio() -> None:
    pairs = ((100, 110), (900, 990), (100, 9000), (10, 11), (100, 110), (100, 111), (100, 109))
    timing = Timing("case", "reference", "digest", Outcome(OutcomeKind.OK), pairs)

    assert timing.ratio.median == pytest.approx(1.1)
    assert timing.reference_ns == 100
    assert Timing.from_json(timing.to_json()) == timing
