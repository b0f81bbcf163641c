from __future__ import annotations

import pytest

from ncnn_peakmem.history import PEAKS, Figure
from ncnn_peakmem.measurement import Gauge, Metric, Phase
from ncnn_peakmem.reports.figure_name import in_short


def figures(gauge: Gauge, *named: str) -> list[Figure]:
    split = (name.split() for name in named)
    return [Figure(gauge, Phase(phase), Metric(metric)) for phase, metric in split]


@pytest.mark.parametrize(
    ("named", "told"),
    [
        (["first peak"], "heap first peak"),
        (["first peak", "steady peak"], "heap first/steady peak"),
        (["first peak", "first live", "steady peak", "steady live"], "heap first/steady peak+live"),
        (["load_model peak", "first peak", "first live"], "heap load_model peak, first peak+live"),
        (["load_model live", "first live", "steady peak"], "heap load_model/first live, steady peak"),
        (["steady live", "unload peak"], "heap steady live"),
        (["unload peak"], "heap unload peak"),
    ],
)
def test_figures_are_named_with_phases_together_that_moved_alike(named: list[str], told: str) -> None:
    assert in_short(figures(Gauge.HEAP, *named)) == told


def test_the_overall_peak_has_no_phase() -> None:
    assert in_short([PEAKS[Gauge.PAGES]]) == "pages vm_peak"
