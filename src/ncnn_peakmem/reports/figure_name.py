"""Several figures of one gauge, named in a few words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from ncnn_peakmem.history import Figure
from ncnn_peakmem.measurement import Metric, Phase


def in_short(figures: Collection[Figure]) -> str:
    """Such as `heap load_model peak, first/steady peak+live`.

    The phase `unload` is left out beside `steady`: it begins with what that one leaves.
    """
    phases = {figure.phase for figure in figures}
    by_phase: defaultdict[Phase | None, list[Metric]] = defaultdict(list)
    for figure in figures:
        if not (figure.phase is Phase.UNLOAD and Phase.STEADY in phases):
            by_phase[figure.phase].append(figure.metric)
    by_metrics: defaultdict[tuple[Metric, ...], list[str]] = defaultdict(list)
    for phase, metrics in by_phase.items():
        by_metrics[tuple(metrics)].append(phase or "")
    named = [f"{'/'.join(where)} {'+'.join(metrics)}".strip() for metrics, where in by_metrics.items()]
    gauges = dict.fromkeys(figure.gauge for figure in figures)
    return f"{'/'.join(gauges)} {', '.join(named)}"
