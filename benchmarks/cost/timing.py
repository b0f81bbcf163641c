"""Timing things in turn, so that a busy spell of the machine meets all of them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence


def in_turn(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """The seconds of each way, round by round; the round that brings files into memory is not counted."""
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds + 1):
        for way, run in ways.items():
            start = time.perf_counter()
            run()
            if number:
                seconds[way].append(time.perf_counter() - start)
    return seconds


def ratios(seconds: Sequence[float], rivals: Sequence[float]) -> tuple[float, ...]:
    """How many times as long as its rival something took, round by round."""
    return tuple(mine / rival for mine, rival in zip(seconds, rivals, strict=True))


def run(
    command: Sequence[str], *, cpu: int | None = None, environment: Mapping[str, str] | None = None
) -> None:
    """Run a command, on one CPU if that is named; `CalledProcessError` where it fails."""
    pinned = None if cpu is None else (lambda: os.sched_setaffinity(0, {cpu}))
    subprocess.run(
        [*command],
        check=True,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        preexec_fn=pinned,
    )
