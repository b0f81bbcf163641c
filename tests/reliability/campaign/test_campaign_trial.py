"""The first reading that a campaign's others are judged against."""

from __future__ import annotations

import pytest

from ncnn_peakmem.tolerance import Tolerance
from tests.reliability.campaign.made_up import KIB, anchor


@pytest.mark.parametrize(
    ("tolerance", "stated"),
    [
        (Tolerance(), 512),
        (Tolerance(16 * KIB), 32 * KIB),
        # Of the highest of its figures, 2 MiB.
        (Tolerance(16 * KIB, 0.15), 2 * int(0.15 * (2 << 20))),
    ],
)
def test_resolution_is_twice_the_tolerance(tolerance: Tolerance, stated: int) -> None:
    assert anchor(tolerance=tolerance).resolution == stated
