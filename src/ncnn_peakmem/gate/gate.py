"""The gate: measures a case and judges it against the baseline that applies to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from packaging.version import Version
from pydantic import TypeAdapter

from ncnn_peakmem.baselines import BaselineStore, Verdict, in_words, judge
from ncnn_peakmem.case import Case
from ncnn_peakmem.catalog import Catalog
from ncnn_peakmem.measurement import Measurement, MeasurementSet
from ncnn_peakmem.run import Run, write_whole
from ncnn_peakmem.runtimes import Runtime, RuntimeNotFound, from_release

_VERDICT: TypeAdapter[Verdict] = TypeAdapter(Verdict)


@dataclass(frozen=True)
class Gate:
    """Judges the cases of a run.

    A case is judged against the newest stored version that is not newer than the runtime. Where this machine
    class has no baseline at all, the catalog's reference release is measured in the same run instead.
    """

    run: Run
    catalog: Catalog
    store: BaselineStore

    def measure(self, case: Case) -> Measurement:
        """The case's measurement, taken at most once in the run."""
        return self.run.measure(case, self.catalog.networks[case.network])

    def judge(self, case: Case) -> Verdict:
        """Measure the case, judge it, and keep the verdict with the run."""
        verdict = judge(
            self.measure(case),
            self.baseline(case),
            self.catalog.tolerances(case.network),
            same_release=self.baseline_version == self.run.runtime.version,
            missing=self._missing,
        )
        write_whole(self._kept("verdicts", case), _VERDICT.dump_json(verdict))
        return verdict

    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts of this run so far, by case id, whichever process judged."""
        records = sorted((self.run.folder / "verdicts").glob("*.json"))
        return tuple(_VERDICT.validate_json(record.read_bytes()) for record in records)

    def accept(self, case: Case) -> str:
        """Measure the case and mark it for `accepted`; empty, or why that is not all well.

        A failure never takes the place of figures that the same version has: those stay as they are. Against
        an older version's figures it is accepted, but told.
        """
        measured = self.measure(case)
        stored = self.stored.cases.get(case.id) if self.stored else None
        if not _fails_anew(measured, stored):
            write_whole(self._kept("accepted", case), b"")
            return ""
        told = f"{case.id}   {in_words(measured.outcome)}"
        if self.baseline_version == self.run.runtime.version:
            return f"{told}; its baseline stays as it is: to accept this, remove the case from the file first"
        write_whole(self._kept("accepted", case), b"")
        return f"{told}; accepted, though it is ok in the baseline of ncnn {self.baseline_version}"

    def accepted(self) -> MeasurementSet:
        """What this run measured of the cases that were accepted."""
        measured = self.run.measured()
        names = {marker.stem for marker in (self.run.folder / "accepted").glob("*.json")}
        cases = {name: found for name, found in measured.cases.items() if name in names}
        return replace(measured, cases=cases)

    def baseline(self, case: Case) -> Measurement | None:
        """What the case is judged against: stored, or measured now on the reference release."""
        if self.stored is not None:
            return self.stored.cases.get(case.id)
        reference = self._reference
        if reference is None:
            return None
        return reference.measure(case, self.catalog.networks[case.network])

    def _kept(self, kind: str, case: Case) -> Path:
        folder = self.run.folder / kind
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{case.id}.json"

    @cached_property
    def baseline_version(self) -> str | None:
        """The ncnn version that cases are judged against, or None where there is none to be had."""
        if self.stored is not None:
            return self.stored.ncnn
        return self._reference.runtime.version if self._reference else None

    @property
    def baseline_file(self) -> Path | None:
        """The file that the stored baseline is from."""
        if self.stored is None:
            return None
        return self.store.path(self.run.machine, Version(self.stored.ncnn))

    @cached_property
    def note(self) -> str:
        """Where the baseline is from if it is not from a file."""
        if self.stored is not None or self._reference is None:
            return ""
        return (
            f"no baseline for this machine class: judged against ncnn {self.baseline_version}, "
            "measured in this run"
        )

    @cached_property
    def _missing(self) -> str:
        """Why a case has no baseline."""
        if self.stored is not None or self._reference is not None:
            return "no baseline"
        versions = self.store.versions(self.run.machine)
        if versions:
            return f"no baseline of ncnn {self.run.runtime.version} or older (the oldest is {versions[0]})"
        return f"no baseline for this machine class, and the reference release: {self._reference_runtime}"

    @cached_property
    def stored(self) -> MeasurementSet | None:
        """The baseline file that applies to the runtime, if there is one."""
        return self.store.newest_not_after(self.run.machine, self.run.runtime.release)

    @cached_property
    def _reference(self) -> Run | None:
        """The reference release's run, beside this one's."""
        if self.store.versions(self.run.machine) or isinstance(self._reference_runtime, RuntimeNotFound):
            return None
        return replace(self.run, runtime=self._reference_runtime, folder=self.run.folder / "reference")

    @cached_property
    def _reference_runtime(self) -> Runtime | RuntimeNotFound:
        try:
            return from_release(self.catalog.reference_release, self.run.cache.root, self.run.progress)
        except RuntimeNotFound as error:
            return error


def _fails_anew(measured: Measurement, stored: Measurement | None) -> bool:
    """Whether a gauge fails that has figures in the baseline."""
    before = stored.readings if stored is not None else {}
    failing = [gauge for gauge, reading in measured.readings.items() if not reading.outcome.ok]
    return any(gauge in before and before[gauge].outcome.ok for gauge in failing)
