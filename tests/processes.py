"""The processes that a test may not leave behind."""

from __future__ import annotations

from pathlib import Path

import psutil


def assert_nobody_works_in(folder: Path) -> None:
    """No process works in the folder, once those that are dying are dead."""
    left = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder):
                left.append(process)
        except psutil.Error:
            continue
    _, alive = psutil.wait_procs(left, timeout=60)
    told = [process.cmdline() for process in alive]
    for process in alive:
        process.kill()
    assert told == []
