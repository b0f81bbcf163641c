"""What every report of a whole run is made from."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ncnn_peakmem.baselines import Verdict, VerdictKind, in_words, largest_first
from ncnn_peakmem.catalog import Axis
from ncnn_peakmem.measurement import Caveat, MeasurementSet
from ncnn_peakmem.reports import quantity


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run's measurements and verdicts, and what they were judged against.

    `title` names the build where its version alone does not, and `digest` is that of its module, if known:
    two builds may share a version. `baseline_note` tells where the baseline is from
    if not from a file, such as "measured in this run". `stale` names the cases of `baseline_file` that the
    models file no longer has. `axes` are the models file's: with them, cases whose ids leave out usual labels
    can be told together with those that name others. A report read from JSON has none.
    """

    measured: MeasurementSet
    verdicts: tuple[Verdict, ...] = ()
    title: str = ""
    digest: str = ""
    baseline_note: str = ""
    baseline_file: str = ""
    models_file: str = "models.yaml"
    stale: tuple[str, ...] = ()
    axes: tuple[Axis, ...] = ()

    @property
    def headline(self) -> str:
        """Such as `72 cases judged: 70 same, 1 improved, 1 regressed`."""
        if not self.verdicts:
            return f"{quantity.counted(len(self.measured.cases), 'case')} measured, none judged"
        told = ", ".join(f"{count} {kind}" for kind, count in self.counts.items())
        judged = f"{quantity.counted(len(self.verdicts), 'case')} judged: {told}"
        if self.over_budget:
            judged += f"; {len(self.over_budget)} over budget"
        return judged + (f"; {len(self.unjudged)} measured, but not judged" if self.unjudged else "")

    @property
    def comparison(self) -> str:
        """What was compared with what, and where."""
        machine = self.measured.machine.id
        if not self.verdicts:
            return f"ncnn {self.build} on {machine}"
        told = list(self.against)
        if len(told) > 1:
            told = [f"{name} ({quantity.counted(count, 'case')})" for name, count in self.against.items()]
        return comparison(self.build, " and ".join(told), machine, self.baseline_note)

    @property
    def build(self) -> str:
        """The build that was measured, as people know it."""
        return self.title or self.measured.ncnn

    @property
    def against(self) -> Mapping[str, int]:
        """The ncnn versions that cases were judged against, each with the number of its cases."""
        counted = Counter(verdict.against for verdict in self.verdicts if verdict.against)
        return dict(counted.most_common())

    @property
    def counts(self) -> Mapping[VerdictKind, int]:
        """How many cases got which verdict, in the order of the kinds, without those that none got."""
        counted = Counter(verdict.kind for verdict in self.verdicts)
        return {kind: counted[kind] for kind in VerdictKind if counted[kind]}

    @property
    def accepted(self) -> bool:
        """Whether a gate lets the run pass."""
        return all(verdict.accepted for verdict in self.verdicts)

    @property
    def calm(self) -> bool:
        """Whether there is nothing that a reader might want to act on."""
        same = all(verdict.kind is VerdictKind.SAME for verdict in self.verdicts)
        return same and not self.stale and not self.over_budget

    @property
    def over_budget(self) -> tuple[Verdict, ...]:
        """The verdicts of the cases that exceed their budget, by case."""
        over = [verdict for verdict in self.verdicts if verdict.overruns]
        return tuple(sorted(over, key=lambda verdict: verdict.case))

    @property
    def unjudged(self) -> tuple[str, ...]:
        """The cases that were measured but not judged."""
        judged = {verdict.case for verdict in self.verdicts}
        return tuple(case for case in self.measured.cases if case not in judged)

    @property
    def ordered(self) -> list[Verdict]:
        """The verdicts, the gravest and largest first."""
        return largest_first(self.verdicts)

    @property
    def reasons(self) -> Mapping[str, Sequence[str]]:
        """What figures cannot tell, each with the cases of which it is true, the gravest first."""
        told: defaultdict[str, list[str]] = defaultdict(list)
        for case, reason in self._reasons():
            told[reason].append(case)
        return dict(told)

    def _reasons(self) -> Iterator[tuple[str, str]]:
        for verdict in self.ordered:
            if verdict.reason:
                yield verdict.case, verdict.reason
        for case in self.unjudged:
            outcome = self.measured.cases[case].outcome
            if not outcome.ok:
                yield case, in_words(outcome)

    @property
    def caveats(self) -> Mapping[Caveat, int]:
        """The controls that could not be had, each with the number of cases that had to do without."""
        counted = Counter(
            caveat for measurement in self.measured.cases.values() for caveat in measurement.caveats
        )
        return {caveat: counted[caveat] for caveat in Caveat if counted[caveat]}


def comparison(measured: str, baseline: str, machine: str, note: str = "") -> str:
    """Such as `ncnn 1.0.20230223 against 1.0.20221128 on linux-x86_64-...`."""
    against = f" against {baseline}" if baseline else ", without a baseline,"
    return f"ncnn {measured}{against}{f' ({note})' if note else ''} on {machine}"
