"""One run: every case measured at most once, each measurement on disk as soon as it is there."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from ncnn_peakmem.case import Case
from ncnn_peakmem.conversion import Cache, ConversionError, convert
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import Gauge, Measurement, MeasurementSet, Outcome, OutcomeKind, Reading
from ncnn_peakmem.network import ModelFiles, Network
from ncnn_peakmem.probe import Conditions, Job, probe
from ncnn_peakmem.runtimes import Runtime

# `pages` first: it learns how many loops a case needs, and `heap` can then choose them beforehand.
_PROBE_ORDER = (Gauge.PAGES, Gauge.HEAP, Gauge.DEPLOYED)


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

    def measure(self, case: Case, network: Network) -> Measurement:
        """The case's measurement: taken now, or read back where this run has taken it already."""
        record = self.folder / f"{case.id}.json"
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(record.with_suffix(".lock")):
            if record.exists():
                return Measurement.from_json(record.read_bytes())
            measurement = self._measure(case, network)
            _write_whole(record, measurement.to_json())
            return measurement

    def measured(self) -> MeasurementSet:
        """All that this run has measured so far."""
        return MeasurementSet(
            self.runtime.version, self.machine, {found.case: found for found in self._recorded()}
        )

    def _recorded(self) -> Iterator[Measurement]:
        for record in sorted(self.folder.glob("*.json")):
            yield Measurement.from_json(record.read_bytes())

    def _measure(self, case: Case, network: Network) -> Measurement:
        try:
            model = convert(network, self.cache, self.progress)
        except ConversionError as error:
            # No child ever ran, but the case is told all the same, and the run goes on.
            nothing = Reading(Outcome(OutcomeKind.FAILED, f"conversion: {error}"), phases={})
            return Measurement(case.id, model="", readings=dict.fromkeys(self._ordered(Gauge), nothing))
        return Measurement(case.id, model.digest, self._readings(case, network, model))

    def _readings(self, case: Case, network: Network, model: ModelFiles) -> dict[Gauge, Reading]:
        job = Job(self.runtime, model, case.flags, case.threads)
        readings: dict[Gauge, Reading] = {}
        loops = 0
        for gauge in self._ordered(_PROBE_ORDER):
            readings[gauge] = probe(gauge, job, network.loops, self.conditions, loops_hint=loops)
            loops = max(loops, readings[gauge].loops)
        return {gauge: readings[gauge] for gauge in self._ordered(Gauge)}

    def _ordered(self, gauges: type[Gauge] | tuple[Gauge, ...]) -> list[Gauge]:
        return [gauge for gauge in gauges if gauge in self.gauges]


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file that other processes see whole or not at all."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        file.write(data)
    Path(file.name).replace(path)
