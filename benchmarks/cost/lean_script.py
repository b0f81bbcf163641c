"""The lean script: the plain one with nothing but ncnn's extension, as a probe's child has it."""

from __future__ import annotations

import sys

from ncnn_peakmem.probe import Conditions, Job
from ncnn_peakmem.reliability import rival

_LEAN = "import sys; sys.path.insert(0, sys.argv.pop(1)); del sys.argv[0]; exec(open(sys.argv[0]).read())"


def lean(job: Job, loops: int, conditions: Conditions, malloc: str = "") -> None:
    """The script in an interpreter without its site packages, under a malloc's tunables."""
    threads = {"OMP_NUM_THREADS": str(job.threads)}
    rival.run(
        "the lean script",
        command(job, loops),
        cpu=rival.cpu_of(job, conditions),
        environment={**threads, **({"GLIBC_TUNABLES": malloc} if malloc else {})},
    )


def command(job: Job, loops: int, cpu: int | None = None) -> list[str]:
    """The lean script, to be run by another tool; it holds itself to a CPU where one is named."""
    interpreter = getattr(sys, "_base_executable", None) or sys.executable
    pinned = "" if cpu is None else f"import os; os.sched_setaffinity(0, {{{cpu}}}); "
    folder = str(job.runtime.module.parent)
    script = [str(rival.SCRIPT), *rival.arguments(job, loops)]
    return [interpreter, "-I", "-S", "-X", "utf8", "-c", f"{pinned}{_LEAN}", folder, *script]
