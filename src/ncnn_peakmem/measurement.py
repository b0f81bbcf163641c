"""What was measured: bytes per gauge, phase and metric, with the outcome of each probe."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from pydantic import TypeAdapter

from ncnn_peakmem.machine import MachineClass


class Gauge(StrEnum):
    """One way to read memory."""

    HEAP = "heap"
    """Live bytes that ncnn asked for, exact."""
    PAGES = "pages"
    """The process's pages under page-granular malloc."""
    DEPLOYED = "deployed"
    """The process as a device shows it, under default malloc."""


class Phase(StrEnum):
    """A stretch of a probe's life, in order."""

    IMPORT = "import"
    LOAD_PARAM = "load_param"
    LOAD_MODEL = "load_model"
    FIRST = "first"
    STEADY = "steady"
    UNLOAD = "unload"


class Metric(StrEnum):
    """A number in bytes that a gauge reads in a phase."""

    PEAK = "peak"
    """`heap`: the most bytes alive at one moment of the phase."""
    LIVE = "live"
    """`heap`: the bytes alive when the phase ends."""
    VM_PEAK = "vm_peak"
    """The most address space held since the process began."""
    VM_HWM = "vm_hwm"
    """The most resident memory of the phase (of the process, where the kernel cannot reset the mark)."""
    VM_RSS = "vm_rss"
    """Resident memory when the phase ends."""
    RSS_ANON = "rss_anon"
    """Resident anonymous memory (heap and stacks really touched) when the phase ends."""


STORED: Mapping[Gauge, tuple[Metric, ...]] = {
    Gauge.HEAP: (Metric.PEAK, Metric.LIVE),
    Gauge.PAGES: (Metric.VM_PEAK, Metric.RSS_ANON),
    Gauge.DEPLOYED: (Metric.VM_PEAK, Metric.VM_HWM, Metric.VM_RSS),
}
"""The metrics of each gauge that baselines keep and people are shown."""

JUDGED: Mapping[Gauge, tuple[Metric, ...]] = {
    Gauge.HEAP: (Metric.PEAK, Metric.LIVE),
    Gauge.PAGES: (Metric.VM_PEAK, Metric.RSS_ANON),
    # Not what is resident when a phase ends: how much default malloc gives back then is a matter of luck.
    Gauge.DEPLOYED: (Metric.VM_PEAK, Metric.VM_HWM),
}
"""The metrics of each gauge that verdicts rest on, the headline first."""

# The floor: what the runtime alone costs is no case's doing, and has a test of its own.
JUDGED_PHASES = tuple(phase for phase in Phase if phase is not Phase.IMPORT)
"""The phases that verdicts rest on: all that a network can grow in."""


class OutcomeKind(StrEnum):
    """How a probe ended. Everything but `ok` is still a result."""

    OK = "ok"
    CRASHED = "crashed"
    OUT_OF_MEMORY = "out_of_memory"
    TIMED_OUT = "timed_out"
    UNSUPPORTED = "unsupported"
    FAILED = "failed"


class Caveat(StrEnum):
    """A control that could not be had, or a plateau that was not seen."""

    ASLR_ON = "aslr_on"
    THP_ON = "thp_on"
    NOT_PINNED = "not_pinned"
    NO_PHASE_HWM = "no_phase_hwm"
    STILL_GROWING = "still_growing"

    @property
    def advice(self) -> str:
        """What it means for the figures, and what to do."""
        return _ADVICE[self]


_ADVICE: Mapping[Caveat, str] = {
    Caveat.ASLR_ON: (
        "address space randomisation could not be turned off: expect 30 KiB of noise in rss_anon"
    ),
    Caveat.THP_ON: ("transparent huge pages could not be turned off: resident figures may jump by 2 MiB"),
    Caveat.NOT_PINNED: "the CPU could not be pinned: vm_hwm of short peaks may be off by 200 KiB",
    Caveat.NO_PHASE_HWM: "clear_refs is not writable: vm_hwm is the whole process's, not the phase's",
    Caveat.STILL_GROWING: (
        "the peak still grew when the last loop ended: raise the network's loops in models.yaml"
    ),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a probe ended, why (in words) and in which phase; cause and phase are empty when it is `ok`.

    `hindered`: the machine kept the probe from being made, so that it tells nothing of the case.
    """

    kind: OutcomeKind
    cause: str = ""
    phase: Phase | None = None
    hindered: bool = False

    @property
    def ok(self) -> bool:
        """Whether the probe ran to its end."""
        return self.kind is OutcomeKind.OK


@dataclass(frozen=True, slots=True)
class Reading:
    """What one probe read with one gauge, in bytes.

    `loops` counts inferences, the first included; `settled_at` is the number of the loop at which the peak
    last moved (0: the first inference). A probe that died keeps the phases it finished.
    """

    outcome: Outcome
    phases: Mapping[Phase, Mapping[Metric, int]]
    loops: int = 0
    settled_at: int = 0
    caveats: tuple[Caveat, ...] = ()

    @property
    def growing(self) -> bool:
        """Whether the run ended before its peak had settled."""
        return Caveat.STILL_GROWING in self.caveats

    def floor(self, metric: Metric) -> int:
        """The runtime alone: the metric after phase `import`, 0 for gauges that start counting there."""
        return self.phases.get(Phase.IMPORT, {}).get(metric, 0)

    def gross(self, phase: Phase, metric: Metric) -> int | None:
        """The metric as the operating system shows it, or None where the probe did not get that far."""
        return self.phases.get(phase, {}).get(metric)

    def net(self, phase: Phase, metric: Metric) -> int | None:
        """The metric above the floor: what the network costs, whichever Python runs it."""
        gross = self.gross(phase, metric)
        return None if gross is None else gross - self.floor(metric)

    def peak(self, metric: Metric) -> int | None:
        """The largest gross value over the phases, or None if the metric was never read."""
        values = [metrics[metric] for metrics in self.phases.values() if metric in metrics]
        return max(values, default=None)

    def net_peak(self, metric: Metric) -> int | None:
        """The largest value above the floor, or None if the metric was never read."""
        peak = self.peak(metric)
        return None if peak is None else peak - self.floor(metric)


NO_MODEL = "none"
"""Stands for the digest of a model that could not be made."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """All that one case's probes told. `model` is the digest of the files that were run, or `NO_MODEL`."""

    case: str
    model: str
    readings: Mapping[Gauge, Reading]

    @property
    def caveats(self) -> tuple[Caveat, ...]:
        """The caveats of any of its readings, each once."""
        found = {caveat for reading in self.readings.values() for caveat in reading.caveats}
        return tuple(caveat for caveat in Caveat if caveat in found)

    @property
    def outcome(self) -> Outcome:
        """The first outcome that is not `ok`, in the order of the gauges, else `ok`."""
        outcomes = [reading.outcome for reading in self.readings.values()]
        return next((outcome for outcome in outcomes if not outcome.ok), Outcome(OutcomeKind.OK))

    @property
    def hindrance(self) -> Outcome | None:
        """The first outcome that is the machine's doing and not the case's."""
        return next((r.outcome for r in self.readings.values() if r.outcome.hindered), None)

    def to_json(self) -> bytes:
        """The measurement as JSON; `from_json` gives it back without loss."""
        return _MEASUREMENT.dump_json(self)

    @staticmethod
    def from_json(text: bytes | str) -> Measurement:
        """Read what `to_json` wrote; `pydantic.ValidationError` where the text is something else."""
        return _MEASUREMENT.validate_json(text)


@dataclass(frozen=True, slots=True)
class MeasurementSet:
    """Measurements of one ncnn build on one machine class, by case id: what a baseline file holds."""

    ncnn: str
    machine: MachineClass
    cases: Mapping[str, Measurement] = field(default_factory=dict)

    def only(self, cases: Collection[str] | None, gauges: Collection[Gauge]) -> MeasurementSet:
        """What those cases (None: all) read with those gauges; those that read nothing are left out."""
        found = {
            case: replace(one, readings={g: r for g, r in one.readings.items() if g in gauges})
            for case, one in self.cases.items()
            if cases is None or case in cases
        }
        return replace(self, cases={case: one for case, one in found.items() if one.readings})


_MEASUREMENT: TypeAdapter[Measurement] = TypeAdapter(Measurement)
