from __future__ import annotations

import pytest

from ncnn_peakmem.reports.sparkline import sparkline


@pytest.mark.parametrize(
    ("figures", "blocks"),
    [
        ([], ""),
        ([None, None], "··"),
        ([7, 7, 7], "▁▁▁"),
        ([0, 7], "▁█"),
        ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([10**9, None, 10**9 + 1], "▁·█"),
        ([-5, 0, 5], "▁▅█"),
    ],
)
def test_figures_are_blocks_between_their_least_and_their_most(
    figures: list[int | None], blocks: str
) -> None:
    assert sparkline(figures) == blocks
