"""The gate: measures a case and judges it against the figures that apply to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from filelock import FileLock
from pydantic import TypeAdapter

from ncnn_peakmem import whole_file
from ncnn_peakmem.baselines import (
    BaselineStore,
    Change,
    Overrun,
    Verdict,
    fails_anew,
    in_words,
    judge,
    overruns,
)
from ncnn_peakmem.case import Case
from ncnn_peakmem.catalog import Catalog
from ncnn_peakmem.conversion import ConversionError, convert
from ncnn_peakmem.gate.growth import Where, grown, locate
from ncnn_peakmem.gate.reference import Found, Measured, Nothing, Reference, Stored
from ncnn_peakmem.measurement import Gauge, Measurement, MeasurementSet
from ncnn_peakmem.network import ModelFiles, Network
from ncnn_peakmem.probe import Job
from ncnn_peakmem.run import Run
from ncnn_peakmem.runtimes import Runtime, RuntimeNotFound, from_release

_VERDICT: TypeAdapter[Verdict] = TypeAdapter(Verdict)


@dataclass(frozen=True)
class Gate:
    """Judges the cases of a run on one ncnn build.

    A case is judged against the build `against`, measured in the same run, if there is one. Else against its
    newest stored version that is not newer than the build under test. Where this machine class has no
    baseline at all, the catalog's reference release is measured in the same run instead.
    """

    run: Run
    catalog: Catalog
    store: BaselineStore
    against: Runtime | None = None

    def measure(self, case: Case) -> Measurement:
        """The case's measurement, taken at most once in the run."""
        return self.run.measure(case, self.catalog.networks[case.network])

    def judge(self, case: Case) -> Verdict:
        """Measure the case, judge it, and keep the verdict with the run."""
        measured = self.measure(case)
        found = self.reference.find(case)
        verdict = judge(
            measured,
            found.measurement if found else None,
            self.catalog.tolerances(case.network, case.threads),
            same_release=found is not None and found.same_build,
            missing=self.reference.missing,
        )
        verdict = replace(verdict, against=found.ncnn if found else "", overruns=self.overruns(case))
        whole_file.write(self._kept("verdicts", case), _VERDICT.dump_json(verdict))
        return verdict

    def overruns(self, case: Case) -> tuple[Overrun, ...]:
        """What the case takes beyond its network's budget, whatever it is judged against."""
        return overruns(self.measure(case), self.catalog.budgets[case.network])

    def where(self, case: Case, verdict: Verdict) -> Where | None:
        """Where the heap of a case grew, by running both builds once more; None where it did not grow.

        Cases of one network that grew alike share one answer, and so do the processes of a run.
        """
        changes = grown(verdict)
        network = self.catalog.networks[case.network]
        found = self.reference.find(case)
        if not changes or found is None:
            return None
        folder = self.run.folder / "where"
        folder.mkdir(exist_ok=True)
        alike = hashlib.sha256(repr((case.network, changes)).encode()).hexdigest()[:16]
        record = folder / f"{alike}.json"
        with FileLock(folder / f"{alike}.lock"):
            if not record.exists():
                whole_file.write(record, self._locate(case, network, changes, found).to_json())
            return Where.from_json(record.read_bytes())

    def _locate(self, case: Case, network: Network, changes: tuple[Change, ...], found: Found) -> Where:
        try:
            cache_root, progress = self.run.cache.root, self.run.progress
            other = found.runtime or from_release(found.ncnn, cache_root, progress)
            new, old = (
                Job(build, self._model(case, network, build), case.flags, case.threads)
                for build in (self.run.runtime, other)
            )
        except (RuntimeNotFound, ConversionError) as error:
            return Where(trouble=str(error))
        now, then = self.measure(case).readings[Gauge.HEAP], found.measurement.readings[Gauge.HEAP]
        self.run.progress(f"looking where {case.id} grew")
        return locate(changes, (new, now), (old, then), self.run.conditions)

    def _model(self, case: Case, network: Network, build: Runtime) -> ModelFiles:
        return convert(network, self.run.cache, precision=case.precision, release=build.release)

    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts of this run so far, by case id, whichever process judged."""
        records = sorted((self.run.folder / "verdicts").glob("*.json"))
        return tuple(_VERDICT.validate_json(record.read_bytes()) for record in records)

    def accept(self, case: Case) -> str:
        """Measure the case and mark it for `accepted`; empty, or why that is not all well.

        A failure never takes the place of figures that the same version has: those stay as they are. Against
        an older version's figures it is accepted, but told. What the machine did is never accepted: no figure
        of a later run would be compared with it.
        """
        measured = self.measure(case)
        if measured.hindrance is not None:
            told = f"{case.id}   {in_words(measured.hindrance)}"
            return f"{told}; not accepted, as it is the machine's doing: see to that, and update again"
        found = self.stored.find(case)
        if not fails_anew(measured, found.measurement if found else None):
            whole_file.write(self._kept("accepted", case), b"")
            return ""
        assert found is not None
        told = f"{case.id}   {in_words(measured.outcome)}"
        if found.same_build:
            return f"{told}; its baseline stays as it is: to accept this, remove the case from the file first"
        whole_file.write(self._kept("accepted", case), b"")
        return f"{told}; accepted, though it is ok in the baseline of ncnn {found.ncnn}"

    def accepted(self) -> MeasurementSet:
        """What this run measured of the cases that were accepted."""
        measured = self.run.measured()
        names = {marker.stem for marker in (self.run.folder / "accepted").glob("*.json")}
        cases = {name: found for name, found in measured.cases.items() if name in names}
        return replace(measured, cases=cases)

    @property
    def plan(self) -> str:
        """What the cases will be judged against, told before anything is measured or installed."""
        if self.against is not None:
            return f"ncnn {self.against.title}, to be measured in this run"
        if self.stored.newest is not None:
            return f"the baseline of ncnn {self.stored.newest.ncnn}"
        if self.store.versions(self.run.machine):
            return "no baseline: all that are stored are of newer versions"
        return f"ncnn {self.catalog.reference_release}, to be measured in this run"

    def read_ahead(self, cases: Iterable[Case]) -> None:
        """Read the baselines of these cases, if there are any; `BaselineError` where one is unreadable."""
        if self.against is None:
            for case in cases:
                self.stored.find(case)

    @cached_property
    def reference(self) -> Reference:
        """What the cases are judged against."""
        if self.against is not None:
            return self._beside(self.against, "measured in this run")
        if self.store.versions(self.run.machine):
            return self.stored
        try:
            runtime = from_release(self.catalog.reference_release, self.run.cache.root, self.run.progress)
        except RuntimeNotFound as error:
            return Nothing(f"no baseline for this machine class, and the reference release: {error}")
        note = f"no baseline for this machine class: judged against ncnn {runtime.version}"
        return self._beside(runtime, f"{note}, measured in this run")

    @cached_property
    def stored(self) -> Stored:
        """The stored baselines that apply to the build."""
        return Stored(self.store, self.run.machine, self.run.runtime.release)

    def _beside(self, runtime: Runtime, note: str) -> Measured:
        beside = replace(self.run, runtime=runtime, folder=self.run.folder / "reference")
        same_build = runtime.digest == self.run.runtime.digest
        return Measured(beside, self.catalog.networks, same_build, note)

    def _kept(self, kind: str, case: Case) -> Path:
        folder = self.run.folder / kind
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{case.id}.json"
