"""A process that runs to its end within a time limit."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from ncnn_peakmem.parent_death import die_with_parent
from ncnn_peakmem.runtimes.runtime import RuntimeNotFound


def finish(
    command: Sequence[str], timeout_seconds: float, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command, with nothing to read, in exactly this environment.

    `RuntimeNotFound` where it has not ended in time.
    """
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_seconds,
            env=environment,
            check=False,
            preexec_fn=die_with_parent,
        )
    except subprocess.TimeoutExpired:
        raise RuntimeNotFound(f"still not done after {timeout_seconds:g} s") from None
