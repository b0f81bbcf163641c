"""The plain script that probes are compared with, run under the same conditions."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ncnn_peakmem.probe import Conditions, Job

SCRIPT = Path(__file__).with_name("bare_script.py")


class NotTimed(Exception):
    """What was to be timed did not do its work; the text says what, and why."""


def bare(job: Job, loops: int, conditions: Conditions) -> None:
    """What one would write: ncnn's package imported by this Python, on the CPU of a probe; `NotTimed`."""
    environment = {"OMP_NUM_THREADS": str(job.threads)}
    folder = job.runtime.module.parent
    package = str(folder.parent if (folder / "__init__.py").exists() else folder)
    # A folder searched first slows down every import, so it is named only where it is not searched anyway.
    if package not in sys.path:
        environment["PYTHONPATH"] = package
    run(
        "the plain script",
        [sys.executable, str(SCRIPT), *arguments(job, loops)],
        cpu=cpu_of(job, conditions),
        environment=environment,
        timeout_seconds=conditions.step_timeout_seconds,
    )


def cpu_of(job: Job, conditions: Conditions) -> int | None:
    """The CPU that a probe of this job is held to, or None where it may use all."""
    return conditions.cpu if job.threads == 1 else None


def arguments(job: Job, loops: int) -> list[str]:
    """The script's arguments; without the number of threads ncnn would take one a core."""
    (blob,) = job.model.inputs
    sizes = ",".join(str(size) for size in reversed(blob.shape))
    flags = [f"{name}={int(value)}" for name, value in job.flags.items()]
    files = [str(job.model.param), str(job.model.bin)]
    return [*files, blob.name, job.model.outputs[0], sizes, str(loops), *flags, f"num_threads={job.threads}"]


def run(
    what: str,
    command: Sequence[str],
    *,
    cpu: int | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout_seconds: float | None = None,
) -> None:
    """Run a command, on one CPU if that is named; `NotTimed` with its last word where it fails."""
    pin = set() if cpu is None else {cpu}

    def pinned() -> None:
        # As for a probe's child, some machines do not allow it.
        with suppress(OSError):
            os.sched_setaffinity(0, pin)

    try:
        finished = subprocess.run(
            [*command],
            check=False,
            capture_output=True,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            errors="replace",
            preexec_fn=pinned if pin else None,
            timeout=timeout_seconds,
        )
    except subprocess.TimeoutExpired:
        raise NotTimed(f"{what} did not end within {timeout_seconds:g} s") from None
    except (OSError, subprocess.SubprocessError) as error:
        raise NotTimed(f"{what} could not be started: {error}") from error
    if finished.returncode:
        raise NotTimed(f"{what} failed: {last_word(finished.stderr or finished.stdout, finished.returncode)}")


def last_word(printed: str, status: int) -> str:
    """The last line of what a command printed, or else how it ended."""
    said = [line.strip() for line in printed.splitlines() if line.strip()]
    return said[-1] if said else f"exit status {status}"
