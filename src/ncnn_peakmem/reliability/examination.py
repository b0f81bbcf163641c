"""The examination of a machine, from its controls to the cost of a probe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ncnn_peakmem import machine
from ncnn_peakmem.baselines import in_words
from ncnn_peakmem.measurement import Gauge, Phase, Reading
from ncnn_peakmem.network import Loops, ModelFiles
from ncnn_peakmem.probe import Conditions, Job, ProbeEnded, probe
from ncnn_peakmem.reliability import controls, surroundings, witness
from ncnn_peakmem.reliability.cost import Cost, costs
from ncnn_peakmem.reliability.diagnosis import Diagnosis
from ncnn_peakmem.reliability.finding import Finding
from ncnn_peakmem.reliability.injection import holding
from ncnn_peakmem.reliability.machine_facts import machine_facts
from ncnn_peakmem.reliability.repetition import Spread, spreads
from ncnn_peakmem.reliability.resolution import GROWN_PHASES, Resolution, resolve
from ncnn_peakmem.reliability.rival import NotTimed
from ncnn_peakmem.reliability.specimen import LARGE, SMALL, specimen
from ncnn_peakmem.reliability.surroundings import Surroundings
from ncnn_peakmem.reliability.yardstick import Yardstick
from ncnn_peakmem.runtimes import Runtime

COST_REPEATS = 5
_COST_GAUGES = (Gauge.PAGES, Gauge.HEAP)


class NothingReads(Exception):
    """No gauge reads anything here; the text has each one's reason, and what to do."""


class _ReadingFailed(Exception):
    """A gauge that has read before did not do so again."""


@dataclass(frozen=True, slots=True)
class Examination:
    """A ncnn build to examine this machine with; what it needs is written into `folder`."""

    runtime: Runtime
    yardstick: Yardstick
    repeats: int
    folder: Path
    progress: Callable[[str], None] = lambda _: None

    def run(self) -> Diagnosis:
        """Examine everything; `NothingReads` where no gauge reads the specimen at all."""
        around = surroundings.look()
        model = specimen(self.folder, SMALL)
        self.progress("looking which gauges read")
        failed = self._try_out(model)
        self.progress("asking a child whether controls hold")
        asked = self._ask(model, around)
        found_spreads: list[Spread] = []
        found_resolutions: list[Resolution] = []
        for gauge in (gauge for gauge in Gauge if gauge not in failed):
            try:
                spread = tuple(self._spreads(model, gauge, min(2, around.cpus)))
                resolved = tuple(self._resolutions(model, gauge))
            except _ReadingFailed as error:
                failed[gauge] = str(error)
            else:
                found_spreads += spread
                found_resolutions += resolved
        findings = (*asked, *(controls.gauge_failed(gauge, cause) for gauge, cause in failed.items()))
        if Gauge.HEAP not in failed:
            findings = (*findings, controls.heap_recorded())
        self.progress("timing probes beside a plain script")
        found_costs: tuple[Cost, ...] = ()
        try:
            timed = tuple(gauge for gauge in _COST_GAUGES if gauge not in failed)
            job = Job(self.runtime, specimen(self.folder, LARGE), {})
            found_costs = costs(timed, job, self._conditions, COST_REPEATS)
        except NotTimed as error:
            findings = (*findings, controls.cost_failed(str(error)))
        here = machine.detect()
        return Diagnosis(
            ncnn=self.runtime.title,
            machine=here,
            facts=machine_facts(here, around),
            findings=findings,
            repeats=self.repeats,
            tolerances=self.yardstick.source,
            spreads=tuple(found_spreads),
            resolutions=tuple(found_resolutions),
            costs=found_costs,
        )

    @property
    def _conditions(self) -> Conditions:
        return Conditions.pinned()

    def _read(self, runtime: Runtime, model: ModelFiles, gauge: Gauge, threads: int = 1) -> Reading:
        return probe(gauge, Job(runtime, model, {}, threads), Loops(), self._conditions)

    def _read_whole(
        self, told: str, runtime: Runtime, model: ModelFiles, gauge: Gauge, threads: int = 1
    ) -> Reading:
        """A complete reading; `_ReadingFailed` says which one is not, by `told`, and why."""
        self.progress(told)
        reading = self._read(runtime, model, gauge, threads)
        if not reading.outcome.ok:
            raise _ReadingFailed(f"reads at first, but not always ({told}): {in_words(reading.outcome)}")
        return reading

    def _ask(self, model: ModelFiles, around: Surroundings) -> tuple[Finding, ...]:
        try:
            seen = witness.call(self.runtime, model, self._conditions, self.folder)
        except ProbeEnded as ended:
            return controls.findings_unasked(in_words(ended.outcome), around)
        return controls.findings(seen, around)

    def _try_out(self, model: ModelFiles) -> dict[Gauge, str]:
        """The gauges that do not read, and why."""
        outcomes = {gauge: self._read(self.runtime, model, gauge).outcome for gauge in Gauge}
        failed = {gauge: in_words(outcome) for gauge, outcome in outcomes.items() if not outcome.ok}
        if len(failed) == len(Gauge):
            causes = [f"{gauge}: {cause}" for gauge, cause in failed.items()]
            advice = f"see that {self.runtime.module} is a whole ncnn, made for this Python and this machine"
            raise NothingReads("\n".join(["no gauge reads anything here", *causes, advice]))
        return failed

    def _spreads(self, model: ModelFiles, gauge: Gauge, most_threads: int) -> Iterator[Spread]:
        for threads in range(1, most_threads + 1):
            told = f"the same probe {self.repeats} times: {gauge}, {_threads(threads)}"
            readings = [
                self._read_whole(f"{told}, number {number + 1}", self.runtime, model, gauge, threads)
                for number in range(self.repeats)
            ]
            yield from spreads(gauge, threads, readings, self.yardstick.of(threads)[gauge].same_release)

    def _resolutions(self, model: ModelFiles, gauge: Gauge) -> Iterator[Resolution]:
        def read(phase: Phase | None, size_bytes: int) -> Reading:
            told = f"holding {size_bytes} bytes from {phase} on" if phase else "holding nothing more"
            held = holding(self.runtime, phase, size_bytes, self.folder)
            return self._read_whole(f"{told}: {gauge}", held, model, gauge)

        control, again = read(None, 0), read(None, 0)
        for phase in GROWN_PHASES:
            yield resolve(gauge, phase, control, again, self.yardstick.single, partial(read, phase))


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"
