"""`ncnn-peakmem bisect` at a desk: releases that take what a test says, without a probe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from click.testing import CliRunner, Result

from ncnn_peakmem import catalog, machine
from ncnn_peakmem.baselines import BaselineStore
from ncnn_peakmem.cli.bisect import bisect
from ncnn_peakmem.conversion import Cache, convert
from ncnn_peakmem.measurement import (
    Gauge,
    Measurement,
    MeasurementSet,
    Metric,
    Outcome,
    OutcomeKind,
    Phase,
    Reading,
)
from ncnn_peakmem.runtimes import Runtime, RuntimeNotFound

FOUND, BAD, USAGE, COULD_NOT_MEASURE, CANNOT_TELL, INTERRUPTED = 0, 1, 2, 3, 125, 130
MIB = 1 << 20
CASE = ("--case", "small-fp32-light-t1")

Makes = int | Reading | BaseException | str
"""What a release makes of being probed: bytes, a reading, an error, or (as text) why it is not to be had."""


def ok(load_model: int, steady: int = 0) -> Reading:
    """A heap reading of these peaks."""
    peaks = {Phase.LOAD_MODEL: load_model, Phase.STEADY: steady}
    phases = {phase: {Metric.PEAK: peak, Metric.LIVE: peak // 2} for phase, peak in peaks.items()}
    return Reading(
        Outcome(OutcomeKind.OK), {phase: {**read, Metric.LIVE: 7} for phase, read in phases.items()}
    )


CRASHED = Reading(
    Outcome(OutcomeKind.CRASHED, "SIGSEGV in inference", Phase.FIRST),
    {Phase.LOAD_MODEL: {Metric.PEAK: 3 * MIB, Metric.LIVE: 7}},
)


@dataclass
class Desk:
    """The command in a folder with a models.yaml, and releases that take what the test says."""

    folder: Path
    makes: Mapping[str, Makes]
    probed: list[str] = field(default_factory=list)

    def resolve(self, name: str, *_: object, **__: object) -> Runtime:
        version = name if name.startswith("1.0.") else f"1.0.{name}"
        made = self.makes.get(version)
        if made is None or isinstance(made, str):
            raise RuntimeNotFound(made or f"{name} is no ncnn runtime")
        return Runtime(version, self.folder / version)

    def read_gauges(self, gauges: set[Gauge], build: Runtime, *_: object) -> dict[Gauge, Reading]:
        self.probed.append(build.version)
        made = self.makes[build.version]
        if isinstance(made, BaseException):
            raise made
        assert not isinstance(made, str)
        (gauge,) = gauges
        return {gauge: ok(made) if isinstance(made, int) else made}

    def bisect(self, *arguments: str) -> Result:
        places = ("--models", "models.yaml", "--cache-dir", "cache", "--baseline-dir", "baselines")
        return CliRunner().invoke(bisect, [*places, *arguments])

    def over(self, *arguments: str) -> Result:
        """Over all releases there are."""
        return self.bisect("--good", min(self.makes), "--bad", max(self.makes), *CASE, *arguments)

    def model(self) -> str:
        """The digest of the model that is run."""
        known = catalog.load(self.folder / "models.yaml")
        return convert(known.networks["small"], Cache(self.folder / "cache")).digest

    def store(self, version: str, reading: Reading, model: str) -> None:
        """A baseline of this machine class."""
        case = Measurement(CASE[1], model, {Gauge.HEAP: reading})
        figures = MeasurementSet(version, machine.detect(), {CASE[1]: case})
        BaselineStore(self.folder / "baselines").update(figures)


Desks = Callable[..., Desk]

RISE: Mapping[str, Makes] = {
    "20210101": 10 * MIB,
    "20210201": 10 * MIB,
    "20210301": 10 * MIB,
    "20210401": 12 * MIB,
    "20210501": 12 * MIB,
}
