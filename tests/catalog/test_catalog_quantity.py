"""Sizes and percentages."""

from __future__ import annotations

import pytest

from ncnn_peakmem.catalog.quantity import fraction, size


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (0, 0),
        (16384, 16384),
        ("16 KiB", 16384),
        ("64KiB", 65536),
        ("4 MiB", 4 * 1024**2),
        ("1 GiB", 1024**3),
        ("12 B", 12),
    ],
)
def test_sizes(written: object, meant: int) -> None:
    assert size(written) == meant


@pytest.mark.parametrize(
    "written", ["16 KB", "16", "KiB", "-1 KiB", "1.5 KiB", "1 KiB ", -1, 1.0, True, None, []]
)
def test_no_sizes(written: object) -> None:
    with pytest.raises(ValueError, match=r"^found .*; allowed: whole bytes such as 16384, or a size such as"):
        size(written)


@pytest.mark.parametrize(
    ("written", "meant"), [("0.1 %", 0.001), ("0.25%", 0.0025), ("5 %", 0.05), ("0 %", 0.0), ("100 %", 1.0)]
)
def test_fractions(written: object, meant: float) -> None:
    assert fraction(written) == meant


@pytest.mark.parametrize("written", [0, 5, 0.1])
def test_a_bare_number_is_told_that_it_needs_a_percent_sign(written: object) -> None:
    with pytest.raises(
        ValueError, match=rf"^found {written} without a %; allowed: a percentage such as 0\.1 %$"
    ):
        fraction(written)


@pytest.mark.parametrize("written", ["%", "-1 %", "1,5 %", "0.1", "0.1 % ", True, None, {}])
def test_no_fractions(written: object) -> None:
    with pytest.raises(ValueError, match=r"^found .*; allowed: a percentage such as 0\.1 %$"):
        fraction(written)
