"""A case taken apart: traced, and its peak split."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from ncnn_peakmem import param_file
from ncnn_peakmem.anatomy.attribution import Attribution, attribute
from ncnn_peakmem.anatomy.paired_runs import PairedRuns
from ncnn_peakmem.anatomy.saving import Saving, savings
from ncnn_peakmem.anatomy.timeline import LayerRow, timeline
from ncnn_peakmem.measurement import Metric, Reading
from ncnn_peakmem.param_file import Layer
from ncnn_peakmem.probe import Conditions, Job, ProbeEnded
from ncnn_peakmem.probe.layer_events import LayerTrace
from ncnn_peakmem.probe.layer_trace import trace


@dataclass(frozen=True, slots=True)
class Dissection:
    """All there is to tell of a case's heap; `rows` and `savings` are empty where it could not be stepped."""

    attribution: Attribution
    rows: tuple[LayerRow, ...]
    savings: tuple[Saving, ...]

    def to_json(self) -> bytes:
        """The dissection as JSON; `from_json` gives it back without loss."""
        return _DISSECTION.dump_json(self)

    @staticmethod
    def from_json(text: bytes | str) -> Dissection:
        """Read what `to_json` wrote; `pydantic.ValidationError` where the text is something else."""
        return _DISSECTION.validate_json(text)


_DISSECTION: TypeAdapter[Dissection] = TypeAdapter(Dissection)


def explain(job: Job, heap: Reading, conditions: Conditions) -> Attribution:
    """Split the peak that gauge `heap` read of `job`, by running it once more as far as the peak needs.

    `ProbeEnded` where it does not run, and `param_file.ParamFileError` where its graph cannot be read.
    """
    return _attribution(job, heap, PairedRuns(_trace(job, heap, conditions), _layers(job)))


def dissect(job: Job, heap: Reading, conditions: Conditions) -> Dissection:
    """As `explain`, with the layers of the inference that the peak came about in, and what would lower it."""
    traced = _trace(job, heap, conditions)
    runs = PairedRuns(traced, _layers(job))
    attribution = _attribution(job, heap, runs)
    rows = timeline(runs, attribution.peak.moment.loop or 0, traced.sizes, job.model.inputs)
    return Dissection(attribution, rows, savings(runs, attribution.peak))


def _trace(job: Job, heap: Reading, conditions: Conditions) -> LayerTrace:
    if not heap.outcome.ok:
        raise ProbeEnded(heap.outcome)
    return trace(job, heap.settled_at + 1, conditions)


def _layers(job: Job) -> tuple[Layer, ...]:
    return param_file.read(job.model.param).layers


def _attribution(job: Job, heap: Reading, runs: PairedRuns) -> Attribution:
    attribution = attribute(runs, job.model.digest)
    notes = []
    if job.threads > 1:
        notes.append(f"split with one thread; the case has {job.threads}")
    read = heap.peak(Metric.PEAK)
    if read != attribution.peak.bytes:
        notes.append(f"the run that is split peaked at {attribution.peak.bytes} bytes, the gauge read {read}")
    return replace(attribution, notes=(*notes, *attribution.notes))
