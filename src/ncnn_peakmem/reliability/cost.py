"""What a probe costs beside a plain script that does as many loops."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.network import Loops
from ncnn_peakmem.probe import Conditions, Job, probe

LOOPS = 12
_BARE_SCRIPT = Path(__file__).with_name("bare_script.py")


class BareScriptFailed(Exception):
    """The plain script did not run; the text is its last word."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The median time of a probe and of the plain script, in seconds."""

    gauge: Gauge
    seconds: float
    bare_seconds: float

    @property
    def ratio(self) -> float:
        """How many times as long as the plain script the probe takes."""
        return self.seconds / self.bare_seconds


def costs(gauges: tuple[Gauge, ...], job: Job, conditions: Conditions, repeats: int) -> tuple[Cost, ...]:
    """Time all in turn, so that a busy spell meets each of them; `BareScriptFailed`."""
    loops = Loops(minimum=LOOPS, maximum=LOOPS)
    actions: list[Callable[[], object]] = [
        lambda: _run_bare(job, conditions.step_timeout_seconds),
        *(lambda gauge=gauge: probe(gauge, job, loops, conditions) for gauge in gauges),
    ]
    rounds = [[_seconds(action) for action in actions] for _ in range(repeats + 1)]
    # The first round reads files that the others find in memory.
    bare, *probes = (statistics.median(column) for column in zip(*rounds[1:], strict=True))
    return tuple(Cost(gauge, seconds, bare) for gauge, seconds in zip(gauges, probes, strict=True))


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _run_bare(job: Job, timeout_seconds: float) -> None:
    """The plain script over the job's model, with the package that the job's module is part of."""
    (blob,) = job.model.inputs
    sizes = ",".join(str(size) for size in reversed(blob.shape))
    model = [str(job.model.param), str(job.model.bin), blob.name, job.model.outputs[0], sizes, str(LOOPS)]
    folder = job.runtime.module.parent
    search = folder.parent if (folder / "__init__.py").exists() else folder
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(search)}
    command = [sys.executable, str(_BARE_SCRIPT), *model, "num_threads=1"]
    try:
        finished = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=timeout_seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise BareScriptFailed(f"it did not end within {timeout_seconds:g} s") from None
    if finished.returncode:
        said = [line.strip() for line in finished.stderr.splitlines() if line.strip()]
        raise BareScriptFailed(said[-1] if said else f"exit status {finished.returncode}")
