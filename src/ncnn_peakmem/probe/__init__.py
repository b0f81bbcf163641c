"""One fresh child process that runs one case on one runtime while its parent observes it."""

from __future__ import annotations

from ncnn_peakmem.measurement import Gauge, Reading
from ncnn_peakmem.network import Loops
from ncnn_peakmem.probe import heap_gauge, process_gauge
from ncnn_peakmem.probe.job import Job
from ncnn_peakmem.probe.launcher import Conditions, ProbeEnded
from ncnn_peakmem.probe.stopwatch import Stopwatch

__all__ = ["Conditions", "Job", "ProbeEnded", "Stopwatch", "probe"]


def probe(gauge: Gauge, job: Job, loops: Loops, conditions: Conditions, *, loops_hint: int = 0) -> Reading:
    """Run `job` in a fresh child and read its memory with `gauge`; whatever happens to it is an outcome."""
    if gauge is Gauge.HEAP:
        return heap_gauge.read(job, loops, conditions, loops_hint=loops_hint)
    return process_gauge.read(job, gauge, loops, conditions)
