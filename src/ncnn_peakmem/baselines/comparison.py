"""Two sets of measurements beside each other. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ncnn_peakmem.baselines.judge import judge
from ncnn_peakmem.baselines.overrun import overruns
from ncnn_peakmem.baselines.verdict import Verdict
from ncnn_peakmem.budget import Budget
from ncnn_peakmem.measurement import MeasurementSet
from ncnn_peakmem.tolerance import Tolerances


@dataclass(frozen=True, slots=True)
class Comparison:
    """The verdicts of the cases that both sides have, and the ids of those that only one has."""

    verdicts: tuple[Verdict, ...]
    only_measured: tuple[str, ...]
    only_baseline: tuple[str, ...]


def compare(
    measured: MeasurementSet,
    baseline: MeasurementSet,
    tolerances: Callable[[str], Tolerances],
    *,
    same_build: bool,
    budgets: Callable[[str], Budget],
) -> Comparison:
    """Judge every case of `measured` that `baseline` has; `tolerances`, `budgets` give those of a case's id.

    `same_build`: both are of one build of ncnn, so that no difference is to be expected.
    """
    verdicts = []
    for case in sorted(measured.cases.keys() & baseline.cases.keys()):
        found = measured.cases[case]
        verdict = judge(found, baseline.cases[case], tolerances(case), same_release=same_build)
        verdicts.append(replace(verdict, against=baseline.ncnn, overruns=overruns(found, budgets(case))))
    return Comparison(
        verdicts=tuple(verdicts),
        only_measured=tuple(sorted(measured.cases.keys() - baseline.cases.keys())),
        only_baseline=tuple(sorted(baseline.cases.keys() - measured.cases.keys())),
    )
