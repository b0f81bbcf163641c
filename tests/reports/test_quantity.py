from __future__ import annotations

import pytest

from ncnn_peakmem.reports import quantity


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (22_187, "21.7 KiB"),
        (1024 * 1024 - 1, "1.00 MiB"),
        (1024 * 1024, "1.00 MiB"),
        (26_602_373, "25.37 MiB"),
        (1600 * 1024 * 1024, "1600.00 MiB"),
        (-12 * 1024, "-12.0 KiB"),
        (-5 * 1024 * 1024, "-5.00 MiB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert quantity.size(count) == text


@pytest.mark.parametrize(
    ("count", "text"), [(4_414_505, "+4.21 MiB"), (-12 * 1024, "-12.0 KiB"), (0, "+0 B"), (1, "+1 B")]
)
def test_differences_have_a_sign(count: int, text: str) -> None:
    assert quantity.difference(count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (19.896, "+19.9 %"),
        (-0.26, "-0.3 %"),
        (0.04, "+0.04 %"),
        (-0.0042, "-0.004 %"),
        (100 / (1600 * 1024 * 1024), "+0.00000006 %"),
        (12345.6, "+12345.6 %"),
        (0.0, "+0 %"),
        (None, "from 0"),
    ],
)
def test_percentages_never_hide_a_change(value: float | None, text: str) -> None:
    assert quantity.percent(value) == text


def test_nouns_are_counted() -> None:
    assert [quantity.counted(count, "case") for count in (0, 1, 2)] == ["0 cases", "1 case", "2 cases"]


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ([4 << 20, 4 << 20], "+4.00 MiB"),
        ([5 << 20, 4 << 20], "+4.00 to +5.00 MiB"),
        ([512, 4 << 20], "+512 B to +4.00 MiB"),
    ],
)
def test_differences_that_are_not_all_the_same_are_a_range(counts: list[int], text: str) -> None:
    assert quantity.differences(counts) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [([3.8, None, 3.6], "+3.6 to +3.8 %"), ([19.9], "+19.9 %"), ([None], "from 0"), ([], "from 0")],
)
def test_percents_leave_out_what_grew_from_nothing(values: list[float | None], text: str) -> None:
    assert quantity.percents(values) == text
