"""Budgets that are exceeded, in a few words."""

from __future__ import annotations

from collections.abc import Sequence

from ncnn_peakmem.baselines import Overrun
from ncnn_peakmem.case import network_of
from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.reports import quantity


def in_words(overrun: Overrun) -> str:
    """Such as `heap steady peak 52.10 MiB, budget 48.00 MiB: +4.10 MiB`."""
    gross = "" if overrun.gauge is Gauge.HEAP else " gross"
    return (
        f"{overrun.gauge} {overrun.phase} {overrun.metric}{gross} {quantity.size(overrun.measured)}, "
        f"budget {quantity.size(overrun.budget)}: {quantity.difference(overrun.excess)}"
    )


def remedy(case: str, models_file: str) -> str:
    """What to do where a case exceeds its network's budget."""
    return (
        f"ncnn-peakmem advise {network_of(case)} names options that take less; the budget is in {models_file}"
    )


def explain(case: str, overruns: Sequence[Overrun], models_file: str) -> str:
    """The message of a test that judges nothing but the budget; empty where it is kept."""
    if not overruns:
        return ""
    first, *others = map(in_words, overruns)
    lines = [f"{case}   {first}", *(f"  budget   {other}" for other in others)]
    return "\n".join([*lines, f"  advice   {remedy(case, models_file)}"])
