"""Two sets of measurements beside each other. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ncnn_peakmem.baselines.judge import judge
from ncnn_peakmem.baselines.verdict import Verdict
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
) -> Comparison:
    """Judge every case of `measured` that `baseline` has; `tolerances` gives those of a case's id.

    `same_build`: both are of one build of ncnn, so that no difference is to be expected.
    """
    both = sorted(measured.cases.keys() & baseline.cases.keys())
    verdicts = (
        judge(measured.cases[case], baseline.cases[case], tolerances(case), same_release=same_build)
        for case in both
    )
    return Comparison(
        verdicts=tuple(replace(verdict, against=baseline.ncnn) for verdict in verdicts),
        only_measured=tuple(sorted(measured.cases.keys() - baseline.cases.keys())),
        only_baseline=tuple(sorted(baseline.cases.keys() - measured.cases.keys())),
    )
