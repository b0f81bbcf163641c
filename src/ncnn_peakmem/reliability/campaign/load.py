"""A busy machine: processes that take CPUs, memory and files, for as long as a context lasts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from ncnn_peakmem.parent_death import die_with_parent

_SPIN = """\
print("begun", flush=True)
while True:
    pass
"""

_DIRTY_MEMORY = """\
import mmap
print("begun", flush=True)
while True:
    with mmap.mmap(-1, 256 << 20) as pages:
        for start in range(0, len(pages), mmap.PAGESIZE):
            pages[start] = 1
"""

# The file has no name, so that none is left behind. Its pages are dropped before they are read again.
_READ_AND_WRITE = """\
import os, tempfile
block = os.urandom(1 << 20)
with tempfile.TemporaryFile() as file:
    print("begun", flush=True)
    while True:
        file.seek(0)
        for _ in range(64):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        file.seek(0)
        while file.read(1 << 20):
            pass
"""


class LoadEnded(Exception):
    """The machine could not be kept busy."""


@dataclass(frozen=True, slots=True)
class Load:
    """The processes that keep the machine busy."""

    processes: tuple[subprocess.Popen[bytes], ...] = ()

    def check(self) -> None:
        """Raise `LoadEnded` where one of them did not last: the machine is less busy than is said."""
        for process in self.processes:
            if process.poll() is not None:
                raise LoadEnded(
                    f"what was to keep the machine busy ended by itself (status {process.returncode})"
                )


@contextmanager
def load() -> Iterator[Load]:
    """Keep every CPU, the memory and the disk busy.

    The processes run when the context begins, are gone when it ends, and die with this one however it ends.
    Raises `LoadEnded` where one cannot begin.
    """
    with _all_running([_SPIN] * len(os.sched_getaffinity(0)) + [_DIRTY_MEMORY, _READ_AND_WRITE]) as running:
        yield running


@contextmanager
def hogs(count: int) -> Iterator[Load]:
    """Keep so many CPUs busy and nothing else; the rest is as with `load`."""
    with _all_running([_SPIN] * count) as running:
        yield running


@contextmanager
def _all_running(scripts: Sequence[str]) -> Iterator[Load]:
    with ExitStack() as stack:
        yield Load(tuple(stack.enter_context(_running(script)) for script in scripts))


@contextmanager
def _running(script: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        # Out of reach of a terminal's Ctrl-C, which is the campaign's to handle.
        start_new_session=True,
        preexec_fn=die_with_parent,
    ) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != b"begun\n":
                raise LoadEnded("a process that was to keep the machine busy could not begin")
            yield process
        finally:
            process.kill()
