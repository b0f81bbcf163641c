"""One figure of one case, on one ncnn build after the other: measured, or found among the baselines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from ncnn_peakmem import machine, runtimes
from ncnn_peakmem.baselines import BaselineStore, in_words
from ncnn_peakmem.case import Case
from ncnn_peakmem.catalog import Catalog
from ncnn_peakmem.conversion import Cache, convert
from ncnn_peakmem.history.bisection import Sample
from ncnn_peakmem.measurement import JUDGED, STORED, Gauge, Metric, Phase, Reading
from ncnn_peakmem.network import ModelFiles
from ncnn_peakmem.probe import Conditions
from ncnn_peakmem.run import read_gauges
from ncnn_peakmem.runtimes import Runtime, RuntimeNotFound


@dataclass(frozen=True, slots=True)
class CaseFigure:
    """Which number of a case: a metric that a gauge reads in a phase, or its largest value over all phases.

    `ValueError` where the gauge does not have the metric.
    """

    case: Case
    gauge: Gauge
    phase: Phase | None
    metric: Metric

    def __post_init__(self) -> None:
        if self.metric not in STORED[self.gauge]:
            raise ValueError(
                f"the gauge {self.gauge} reads {', '.join(STORED[self.gauge])}, not {self.metric}"
            )

    @property
    def title(self) -> str:
        """Such as `mobilenet_v1-fp32-light-half-q8-t1   heap load_model peak`."""
        return f"{self.case.id}   {' '.join(filter(None, (self.gauge, self.phase, self.metric)))}"

    @property
    def flags(self) -> tuple[str, ...]:
        """The figure as arguments of a command, without those that say what is usual."""
        gauge = () if self.gauge is Gauge.HEAP else ("--gauge", self.gauge)
        phase = ("--phase", self.phase) if self.phase else ()
        metric = () if self.metric is JUDGED[self.gauge][0] else ("--metric", self.metric)
        return ("--case", self.case.id, *gauge, *phase, *metric)

    @property
    def document(self) -> dict[str, str | None]:
        """The figure for programs."""
        return {"case": self.case.id, "gauge": self.gauge, "phase": self.phase, "metric": self.metric}

    def sample(self, release: str, reading: Reading) -> Sample:
        """The figure in a reading, in bytes net of the floor; none where the probe did not get that far."""
        if self.phase is not None:
            found = reading.net(self.phase, self.metric)
        else:
            found = reading.net_peak(self.metric) if reading.outcome.ok else None
        return Sample(release, found, in_words(reading.outcome) if found is None else "")


@dataclass(frozen=True, slots=True)
class Bench:
    """Where a figure is measured. `store` is None where baselines are not to be used."""

    figure: CaseFigure
    known: Catalog
    model: ModelFiles
    cache_folder: Path
    store: BaselineStore | None
    progress: Callable[[str], None]

    @staticmethod
    def set_up(
        figure: CaseFigure,
        known: Catalog,
        cache: Cache,
        store: BaselineStore | None,
        progress: Callable[[str], None],
    ) -> Bench:
        """Make ready the figure's model; `ConversionError` where there is none to be had."""
        model = convert(known.networks[figure.case.network], cache, progress, precision=figure.case.precision)
        return Bench(figure, known, model, cache.root, store, progress)

    def measure_release(self, release: str) -> Sample:
        """The figure on a release, or why it cannot be told."""
        try:
            build = runtimes.from_release(release, self.cache_folder, self.progress)
        except RuntimeNotFound as error:
            return Sample(release, None, str(error))
        return self.measure(build, release)

    def measure(self, build: Runtime, name: str) -> Sample:
        """The figure on a build, or why it cannot be told."""
        case, gauge = self.figure.case, self.figure.gauge
        self.progress(f"measuring {case.id} on ncnn {name}")
        conditions = Conditions.pinned(self.known.step_timeout_seconds)
        loops = self.known.networks[case.network].loops
        readings = read_gauges({gauge}, build, case, self.model, loops, conditions)
        return self.figure.sample(name, readings[gauge])

    def stored(self, releases: Sequence[str]) -> tuple[Sample, ...]:
        """What baselines of this machine class have of the figure, for the very same model.

        `BaselineError` where one of them cannot be read.
        """
        if self.store is None:
            return ()
        here = machine.detect()
        kept = set(self.store.versions(here)) & {Version(release) for release in releases}
        files = {version: self.store.load(here, version).cases for version in kept}
        found = (
            self.figure.sample(release, reading)
            for release in releases
            if (case := files.get(Version(release), {}).get(self.figure.case.id)) is not None
            and case.model == self.model.digest
            and (reading := case.readings.get(self.figure.gauge)) is not None
        )
        return tuple(sample for sample in found if sample.bytes is not None)
