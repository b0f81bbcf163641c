"""The scripts that probes are compared with."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.cost import timing
from ncnn_peakmem import reliability
from ncnn_peakmem.probe import Job

_SCRIPT = Path(reliability.__file__).with_name("bare_script.py")
_LEAN = "import sys; sys.path.insert(0, sys.argv.pop(1)); del sys.argv[0]; exec(open(sys.argv[0]).read())"


def bare(job: Job, loops: int, cpu: int) -> None:
    """What one would write: ncnn's package imported by the environment's Python."""
    timing.run([sys.executable, str(_SCRIPT), *_arguments(job, loops)], cpu=cpu, environment=_threads(job))


def lean(job: Job, loops: int, cpu: int, malloc: str = "") -> None:
    """The same script, with nothing but ncnn's extension in an interpreter without its site packages."""
    folder = str(job.runtime.module.parent)
    command = [sys.executable, "-I", "-S", "-X", "utf8", "-c", _LEAN, folder, str(_SCRIPT)]
    environment = {**_threads(job), **({"GLIBC_TUNABLES": malloc} if malloc else {})}
    timing.run([*command, *_arguments(job, loops)], cpu=cpu, environment=environment)


def command(job: Job, loops: int) -> list[str]:
    """The lean script, to be run by another tool."""
    folder = str(job.runtime.module.parent)
    interpreter = getattr(sys, "_base_executable", None) or sys.executable
    return [interpreter, "-I", "-S", "-X", "utf8", "-c", _LEAN, folder, str(_SCRIPT), *_arguments(job, loops)]


def _threads(job: Job) -> Mapping[str, str]:
    return {"OMP_NUM_THREADS": str(job.threads)}


def _arguments(job: Job, loops: int) -> list[str]:
    """The script's arguments; without the number of threads ncnn would take one a core."""
    (blob,) = job.model.inputs
    sizes = ",".join(str(size) for size in reversed(blob.shape))
    flags = [f"{name}={int(value)}" for name, value in job.flags.items()]
    files = [str(job.model.param), str(job.model.bin)]
    return [*files, blob.name, job.model.outputs[0], sizes, str(loops), *flags, f"num_threads={job.threads}"]
