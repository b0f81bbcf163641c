"""Measures setups for real, each once: what was measured is kept, so that a search can go on."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

from filelock import FileLock
from pydantic import ValidationError

from ncnn_peakmem import probe, whole_file
from ncnn_peakmem.advice.stopwatches import Rounds, time_beside
from ncnn_peakmem.advice.timing import Timing
from ncnn_peakmem.case import Case, Precision
from ncnn_peakmem.catalog import Axis
from ncnn_peakmem.conversion import Cache, ConversionError, Stage, convert
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import Gauge, Measurement, Outcome, OutcomeKind
from ncnn_peakmem.network import ModelFiles, Network
from ncnn_peakmem.probe import Conditions, Job
from ncnn_peakmem.run import Run, without_model
from ncnn_peakmem.runtimes import Runtime
from ncnn_peakmem.termination import raise_if_terminated

_SCHEMA = 2
# They tell of how busy or full the machine was as much as of the case.
_PASSING = frozenset({OutcomeKind.TIMED_OUT, OutcomeKind.OUT_OF_MEMORY})


@dataclass(frozen=True)
class Workbench:
    """Cases of one network on one runtime, measured with one gauge into folders below `folder`.

    A folder is named after all that its figures depend on, so that it can stay for good.
    """

    folder: Path
    runtime: Runtime
    machine: MachineClass
    network: Network
    axes: Mapping[str, Axis]
    gauge: Gauge
    conditions: Conditions
    cache: Cache
    rounds: Rounds = field(default_factory=Rounds)
    progress: Callable[[str], None] = lambda _: None
    _models: dict[Precision, ModelFiles] = field(default_factory=dict, init=False)

    def model(self, precision: Precision) -> ModelFiles:
        """The files of that precision; `ConversionError` where they cannot be made."""
        if precision not in self._models:
            self._models[precision] = convert(
                self.network, self.cache, self.progress, precision=precision, release=self.runtime.release
            )
        return self._models[precision]

    def measure(self, case: Case) -> Measurement:
        """The memory of a case, measured now or before."""
        raise_if_terminated()
        try:
            place = self.place(case.precision)
        except ConversionError as error:
            hindered = error.stage is Stage.CACHE
            return without_model(case, {self.gauge}, error.cause, hindered=hindered)
        run = Run(
            place,
            self.runtime,
            self.machine,
            frozenset({self.gauge}),
            self.conditions,
            self.cache,
            self.progress,
        )
        record = place / f"{case.id}.json"
        if not _readable(run, case):
            record.unlink(missing_ok=True)
        measurement = run.measure(case, self.network)
        if not _lasting(measurement.outcome):
            record.unlink(missing_ok=True)
        return measurement

    def time(self, case: Case, reference: Case) -> Timing:
        """The time of a case beside that of a reference, taken now or before."""
        raise_if_terminated()
        folder = self.place(case.precision) / f"time-{self.rounds.starts}x{self.rounds.each}"
        folder.mkdir(parents=True, exist_ok=True)
        record = folder / f"{case.id}.json"
        with FileLock(folder / f"{case.id}.lock"):
            found = _read(record)
            beside = self.model(reference.precision).digest
            if found and (found.reference, found.reference_model) == (reference.id, beside):
                return found
            outcome, pairs = time_beside(self._job(reference), self._job(case), self.conditions, self.rounds)
            timing = Timing(case.id, reference.id, beside, outcome, pairs)
            if _lasting(outcome):
                whole_file.write(record, timing.to_json())
        return timing

    def forget(self, precision: Precision) -> None:
        """Remove what was measured of a precision."""
        try:
            shutil.rmtree(self.place(precision), ignore_errors=True)
        except ConversionError:
            # What cannot be made was never measured.
            return

    def place(self, precision: Precision) -> Path:
        """Where what is measured of a precision is kept."""
        ingredients = {
            "schema": _SCHEMA,
            "model": self.model(precision).digest,
            "runtime": self.runtime.digest,
            "machine": self.machine.id,
            "gauge": self.gauge,
            "method": _method(),
            "python": sys.version,
            "step_timeout_seconds": self.conditions.step_timeout_seconds,
            "loops": asdict(self.network.loops),
            "axes": {
                name: [axis.default, [(label, dict(one.flags)) for label, one in axis.choices.items()]]
                for name, axis in self.axes.items()
            },
        }
        canonical = json.dumps(ingredients, sort_keys=True, separators=(",", ":"))
        key = hashlib.sha256(canonical.encode()).hexdigest()[:16]
        return self.folder / f"{self.network.name}-{precision}-{key}"

    def _job(self, case: Case) -> Job:
        return Job(self.runtime, self.model(case.precision), case.flags, case.threads)


def _lasting(outcome: Outcome) -> bool:
    """Whether a later call may go by it."""
    return not outcome.hindered and outcome.kind not in _PASSING


def _readable(run: Run, case: Case) -> bool:
    """Whether what is kept of a case, if anything, is whole."""
    try:
        run.read(case.id)
    except ValidationError:
        return False
    return True


@cache
def _method() -> str:
    """A digest of what measures: another probe may read other figures."""
    folder = Path(probe.__file__).parent
    digest = hashlib.sha256()
    for source in sorted(folder.rglob("*.py")):
        digest.update(f"{source.relative_to(folder)}\0".encode() + source.read_bytes() + b"\0")
    return digest.hexdigest()


def _read(record: Path) -> Timing | None:
    try:
        return Timing.from_json(record.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
