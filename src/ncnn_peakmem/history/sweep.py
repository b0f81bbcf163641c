"""A sweep: cases measured on release after release, each once; what is measured is stored at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from packaging.version import Version

from ncnn_peakmem.baselines import BaselineStore, fails_anew, in_words
from ncnn_peakmem.case import Case, Precision
from ncnn_peakmem.conversion import Cache, ConversionError, convert, quantizes_gemm
from ncnn_peakmem.history.crew import Assignment, Errand, carry_out
from ncnn_peakmem.history.progress import Count, Listener, Note, Tally
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import Gauge, Measurement, MeasurementSet
from ncnn_peakmem.network import ModelFiles, Network
from ncnn_peakmem.probe import Conditions
from ncnn_peakmem.runtimes import Runtime, RuntimeNotFound

# By network, precision, and whether matrix products may be quantized; in words why there are none.
_Models = dict[tuple[str, Precision, bool], ModelFiles | str]


@dataclass(frozen=True, slots=True)
class Sweep:
    """Measures `cases` on releases, as far as `store` lacks them, `workers` cases at a time.

    The store is the only memory: a case is left alone that has a measurement of the same model with the same
    gauge there, whatever came of it, unless it is to be measured `again`.
    """

    store: BaselineStore
    machine: MachineClass
    networks: Mapping[str, Network]
    cases: tuple[Case, ...]
    gauges: frozenset[Gauge]
    conditions: Conditions
    cache: Cache
    workers: int = 1
    again: bool = False
    progress: Listener = lambda _: None

    def run(self, releases: Sequence[str], resolve: Callable[[str], Runtime]) -> Tally:
        """Measure on each release (a version), newest first: so a sweep that is interrupted tells of today.

        A release for which `resolve` raises `RuntimeNotFound` is told as refused. Raises `BaselineError`,
        before anything is measured if a file in the store cannot be read, and `CrewLost`.
        """
        tried: _Models = {}
        newest_first = sorted(releases, key=Version, reverse=True)
        plan = {release: tuple(self._lacking(release, tried)) for release in newest_first}
        planned = {
            release: Tally(0, len(errands), len(self.cases) - len(errands))
            for release, errands in plan.items()
        }
        count = Count(planned, self.progress)
        assignments = self._assignments(plan, count, resolve)
        with closing(carry_out(assignments, self.conditions, self.workers)) as results:
            for (runtime, errand), measurement in results:
                self._keep(runtime.version, measurement)
                count.done(runtime.version, errand.case.id, measurement.outcome)
        return count.tally

    def _models(self, release: str, tried: _Models) -> dict[str, ModelFiles | str]:
        """The ncnn files of every case that a release is to run, or why it has none.

        `tried` are those of other releases: what is the same for both is not asked for, nor told, twice.
        """
        gemm = quantizes_gemm(Version(release))
        models = {}
        for case in self.cases:
            key = (case.network, case.precision, gemm and case.precision is Precision.INT8)
            if key not in tried:
                tried[key] = self._model(case, Version(release))
            models[case.id] = tried[key]
        return models

    def _model(self, case: Case, release: Version) -> ModelFiles | str:
        network = self.networks[case.network]
        try:
            return convert(network, self.cache, self._tell, precision=case.precision, release=release)
        except ConversionError as error:
            self.progress(Note(str(error), lasting=True))
            return str(error)

    def _tell(self, text: str) -> None:
        self.progress(Note(text))

    def _lacking(self, release: str, tried: _Models) -> Iterator[Errand]:
        """What is to be measured on a release."""
        models = self._models(release, tried)
        stored = self._stored(release)
        for case in self.cases:
            errand = Errand(case, models[case.id], self.networks[case.network].loops, self.gauges)
            known = stored.get(case.id)
            if known is None:
                yield errand
            elif isinstance(errand.model, str):
                # It can only fail: figures of the time when there was a model are worth more.
                continue
            elif self.again or known.model != errand.model.digest:
                yield errand
            elif missing := self.gauges.difference(known.readings):
                pages = known.readings.get(Gauge.PAGES)
                yield replace(errand, gauges=missing, loops_seen=pages.loops if pages else 0)

    def _stored(self, release: str) -> Mapping[str, Measurement]:
        version = Version(release)
        if not self.store.path(self.machine, version).exists():
            return {}
        return self.store.load(self.machine, version).cases

    def _assignments(
        self, plan: Mapping[str, Sequence[Errand]], count: Count, resolve: Callable[[str], Runtime]
    ) -> Iterator[Assignment]:
        for release, errands in plan.items():
            if not errands:
                # So it need not even be installed.
                count.look(release)
                continue
            try:
                runtime = _that_is(release, resolve)
            except RuntimeNotFound as error:
                count.refuse(release, str(error))
                continue
            for errand in errands:
                count.begin(release, errand.case.id)
                yield runtime, errand

    def _keep(self, release: str, measurement: Measurement) -> None:
        case = f"{measurement.case} on ncnn {release}"
        known = self._stored(release).get(measurement.case) if not measurement.outcome.ok else None
        if known is not None and fails_anew(measurement, known):
            told = f"{case}: {in_words(measurement.outcome)}; its stored figures, which are ok, stay"
            self.progress(Note(told, lasting=True))
            return
        update = self.store.update(MeasurementSet(release, self.machine, {measurement.case: measurement}))
        if update.dropped:
            gauges = ", ".join(gauge for _, gauge in update.dropped)
            told = f"{case}: stored figures of {gauges} were of another model, and are gone"
            self.progress(Note(told, lasting=True))


def _that_is(release: str, resolve: Callable[[str], Runtime]) -> Runtime:
    """The runtime of a release, by the name that its figures are stored under."""
    runtime = resolve(release)
    if runtime.release != Version(release):
        raise RuntimeNotFound(f"{runtime.module} calls itself version {runtime.version}, not {release}")
    return replace(runtime, version=release)
