"""The examination of a machine, from its controls to the cost of a probe."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ncnn_peakmem import machine
from ncnn_peakmem.baselines import in_words
from ncnn_peakmem.measurement import Gauge, Phase, Reading
from ncnn_peakmem.network import Loops, ModelFiles
from ncnn_peakmem.probe import Conditions, Job, probe
from ncnn_peakmem.reliability import controls, surroundings, witness
from ncnn_peakmem.reliability.cost import BareScriptFailed, Cost, costs
from ncnn_peakmem.reliability.diagnosis import Diagnosis
from ncnn_peakmem.reliability.finding import Finding
from ncnn_peakmem.reliability.injection import holding
from ncnn_peakmem.reliability.machine_facts import machine_facts
from ncnn_peakmem.reliability.repetition import Spread, spreads
from ncnn_peakmem.reliability.resolution import PHASES, Resolution, resolve
from ncnn_peakmem.reliability.specimen import LARGE, SMALL, specimen
from ncnn_peakmem.reliability.yardstick import Yardstick
from ncnn_peakmem.runtimes import Runtime

COST_REPEATS = 5
_COST_GAUGES = (Gauge.PAGES, Gauge.HEAP)


class NothingReads(Exception):
    """No gauge reads anything here; the text has each one's reason, and what to do."""


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
        working, findings = self._try_out(model)
        self.progress("asking a child whether controls hold")
        seen = witness.call(self.runtime, model, self._conditions, self.folder)
        findings = controls.findings(seen, around) + findings
        found_spreads = self._spreads(model, working, min(2, around.cpus))
        found_resolutions = self._resolutions(model, working)
        self.progress("timing probes beside a plain script")
        found_costs: tuple[Cost, ...] = ()
        try:
            timed = tuple(gauge for gauge in _COST_GAUGES if gauge in working)
            job = Job(self.runtime, specimen(self.folder, LARGE), {})
            found_costs = costs(timed, job, self._conditions, COST_REPEATS)
        except BareScriptFailed as error:
            findings = (*findings, controls.cost_failed(str(error)))
        here = machine.detect()
        return Diagnosis(
            ncnn=self.runtime.title,
            machine=here,
            facts=machine_facts(here, around),
            findings=findings,
            repeats=self.repeats,
            tolerances=self.yardstick.source,
            spreads=found_spreads,
            resolutions=found_resolutions,
            costs=found_costs,
        )

    @property
    def _conditions(self) -> Conditions:
        return Conditions(cpu=min(os.sched_getaffinity(0)))

    def _read(self, runtime: Runtime, model: ModelFiles, gauge: Gauge, threads: int = 1) -> Reading:
        return probe(gauge, Job(runtime, model, {}, threads), Loops(), self._conditions)

    def _try_out(self, model: ModelFiles) -> tuple[tuple[Gauge, ...], tuple[Finding, ...]]:
        """The gauges that read, and what is to be said of the others."""
        outcomes = {gauge: self._read(self.runtime, model, gauge).outcome for gauge in Gauge}
        failed = {gauge: in_words(outcome) for gauge, outcome in outcomes.items() if not outcome.ok}
        if len(failed) == len(Gauge):
            causes = [f"{gauge}: {cause}" for gauge, cause in failed.items()]
            advice = f"see that {self.runtime.module} is a whole ncnn, made for this Python and this machine"
            raise NothingReads("\n".join(["no gauge reads anything here", *causes, advice]))
        findings = [controls.gauge_failed(gauge, cause) for gauge, cause in failed.items()]
        if Gauge.HEAP not in failed:
            findings.append(controls.heap_recorded())
        return tuple(gauge for gauge in Gauge if gauge not in failed), tuple(findings)

    def _spreads(self, model: ModelFiles, gauges: tuple[Gauge, ...], most_threads: int) -> tuple[Spread, ...]:
        found: list[Spread] = []
        for threads in range(1, most_threads + 1):
            for gauge in gauges:
                tolerance = self.yardstick.of(threads)[gauge].same_release
                told = f"the same probe {self.repeats} times: {gauge}, {_threads(threads)}"
                readings: list[Reading] = []
                for number in range(self.repeats):
                    self.progress(f"{told} ({number + 1})")
                    readings.append(self._read(self.runtime, model, gauge, threads))
                found += spreads(gauge, threads, readings, tolerance)
        return tuple(found)

    def _resolutions(self, model: ModelFiles, gauges: tuple[Gauge, ...]) -> tuple[Resolution, ...]:
        def read_holding(gauge: Gauge, phase: Phase, size_bytes: int) -> Reading:
            self.progress(f"holding {size_bytes} bytes from {phase} on: {gauge}")
            return self._read(holding(self.runtime, phase, size_bytes, self.folder), model, gauge)

        found: list[Resolution] = []
        for gauge in gauges:
            control = self._read(holding(self.runtime, None, 0, self.folder), model, gauge)
            for phase in PHASES:
                read = partial(read_holding, gauge, phase)
                found.append(resolve(gauge, phase, control, self.yardstick.single, read))
        return tuple(found)


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"
