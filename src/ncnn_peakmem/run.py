"""One run: every case measured at most once, each measurement on disk as soon as it is there."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from ncnn_peakmem import whole_file
from ncnn_peakmem.case import Case
from ncnn_peakmem.conversion import Cache, ConversionError, Stage, convert
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import (
    NO_MODEL,
    Gauge,
    Measurement,
    MeasurementSet,
    Outcome,
    OutcomeKind,
    Phase,
    Reading,
)
from ncnn_peakmem.network import Loops, ModelFiles, Network
from ncnn_peakmem.probe import Conditions, Job, probe
from ncnn_peakmem.runtimes import Runtime
from ncnn_peakmem.termination import raise_if_terminated

# `pages` first: it learns how many loops a case needs, and `heap` can then choose them beforehand.
_PROBE_ORDER = (Gauge.PAGES, Gauge.HEAP, Gauge.DEPLOYED)


Refuse = Callable[[Runtime, Case, ModelFiles, Loops], str]
"""Tells why a case is not even to be tried on a runtime; empty where it is."""


@dataclass(frozen=True)
class Run:
    """Measures cases of one runtime into `folder`, which several processes may share."""

    folder: Path
    runtime: Runtime
    machine: MachineClass
    gauges: frozenset[Gauge]
    conditions: Conditions
    cache: Cache
    progress: Callable[[str], None] = lambda _: None
    refuse: Refuse = lambda *_: ""

    def measure(self, case: Case, network: Network) -> Measurement:
        """The case's measurement: taken now, or read back where this run has taken it already."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / f"{case.id}.lock"):
            found = self.read(case.id)
            if found is not None:
                return found
            measurement = self._measure(case, network)
            whole_file.write(self._record(case.id), measurement.to_json())
            return measurement

    def read(self, case_id: str) -> Measurement | None:
        """The measurement of a case if this run has taken it."""
        record = self._record(case_id)
        return Measurement.from_json(record.read_bytes()) if record.exists() else None

    def count(self) -> int:
        """How many cases this run has measured so far."""
        return sum(1 for _ in self.folder.glob("*.json"))

    def measured(self) -> MeasurementSet:
        """All that this run has measured so far."""
        records = sorted(self.folder.glob("*.json"))
        cases = {record.stem: Measurement.from_json(record.read_bytes()) for record in records}
        return MeasurementSet(self.runtime.version, self.machine, cases)

    def _record(self, case_id: str) -> Path:
        return self.folder / f"{case_id}.json"

    def _measure(self, case: Case, network: Network) -> Measurement:
        try:
            model = convert(
                network,
                self.cache,
                self.progress,
                precision=case.precision,
                release=self.runtime.release,
            )
        except ConversionError as error:
            return without_model(case, self.gauges, str(error), hindered=error.stage is Stage.CACHE)
        if cause := self.refuse(self.runtime, case, model, network.loops):
            outcome = Outcome(OutcomeKind.OUT_OF_MEMORY, cause, Phase.LOAD_MODEL)
            return Measurement(case.id, model.digest, _unread(self.gauges, outcome))
        readings = read_gauges(self.gauges, self.runtime, case, model, network.loops, self.conditions)
        return Measurement(case.id, model.digest, readings)


def read_gauges(
    gauges: Collection[Gauge],
    runtime: Runtime,
    case: Case,
    model: ModelFiles,
    loops: Loops,
    conditions: Conditions,
    *,
    loops_seen: int = 0,
) -> dict[Gauge, Reading]:
    """Probe a case once with each gauge; `loops_seen` is how many an earlier reading of the case needed."""
    job = Job(runtime, model, case.flags, case.threads)
    readings: dict[Gauge, Reading] = {}
    for gauge in (gauge for gauge in _PROBE_ORDER if gauge in gauges):
        raise_if_terminated()
        readings[gauge] = probe(gauge, job, loops, conditions, loops_hint=loops_seen)
        loops_seen = max(loops_seen, readings[gauge].loops)
    return {gauge: readings[gauge] for gauge in Gauge if gauge in readings}


def without_model(
    case: Case, gauges: Collection[Gauge], cause: str, *, hindered: bool = False
) -> Measurement:
    """The measurement of a case whose model could not be made: no child ever runs, but the case is told.

    `hindered`: it was the machine that kept the model from being made.
    """
    outcome = Outcome(OutcomeKind.FAILED, f"conversion: {cause}", hindered=hindered)
    return Measurement(case.id, NO_MODEL, _unread(gauges, outcome))


def _unread(gauges: Collection[Gauge], outcome: Outcome) -> dict[Gauge, Reading]:
    """Readings of probes that never began."""
    return {gauge: Reading(outcome, phases={}) for gauge in Gauge if gauge in gauges}
