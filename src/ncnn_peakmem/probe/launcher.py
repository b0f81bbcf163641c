"""Starts a child under exact conditions, commands it step by step, and names what became of it."""

from __future__ import annotations

import ctypes
import os
import resource
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ncnn_peakmem.measurement import Caveat, Outcome, OutcomeKind, Phase
from ncnn_peakmem.probe import process_status
from ncnn_peakmem.probe.job import Job

PAGE_GRANULAR_MALLOC = "glibc.malloc.mmap_threshold=4096:glibc.malloc.top_pad=0"
"""Every block of a page or more is mapped and unmapped by itself, so that none hides in free heap."""

_CHILD = Path(__file__).with_name("child.py")
_LOG_BYTES_KEPT = 4096
_PR_SET_PDEATHSIG = 1
_PR_SET_THP_DISABLE = 41
_PERSONALITY_QUERY = 0xFFFFFFFF

_libc = ctypes.CDLL(None)


class ProbeEnded(Exception):
    """The child will do nothing more; `outcome` says why."""

    def __init__(self, outcome: Outcome):
        super().__init__(f"{outcome.kind}: {outcome.cause}")
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Conditions:
    """What every child of a run is held to. `cpu` pins the children that run one thread."""

    step_timeout_seconds: float = 120.0
    cpu: int | None = None
    memory_limit_bytes: int | None = None


class Child:
    """A process that runs `child.py` in a folder of its own; its context leaves neither behind."""

    def __init__(
        self, job: Job, conditions: Conditions, *, tunables: str | None = None, traced: bool = False
    ) -> None:
        self._job = job
        self._traced = traced
        self._conditions = conditions
        self._pin = conditions.cpu if job.threads == 1 else None
        self._environment = _environment(job.threads, tunables)
        self._log = b""
        self._answers = b""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="ncnn-peakmem-")
        self._job.lay(self.folder)
        self._kills_before = process_status.out_of_memory_kills()
        self._wire, childs_end = socket.socketpair()
        with childs_end, _CHILD.open("rb") as script:
            self._process = subprocess.Popen(
                [_interpreter(), "-I", "-S", "-B", "-X", "utf8", "-"],
                stdin=script,
                stdout=childs_end.fileno(),
                stderr=subprocess.PIPE,
                cwd=self.folder,
                env=self._environment,
                start_new_session=True,
                preexec_fn=_controls(self._pin, self._conditions.memory_limit_bytes),
            )
        assert self._process.stderr is not None
        self._stderr = self._process.stderr
        os.set_blocking(self._stderr.fileno(), False)
        self._ready = selectors.DefaultSelector()
        self._ready.register(self._wire, selectors.EVENT_READ)
        self._ready.register(self._stderr, selectors.EVENT_READ)
        self._send(self._job.message(traced=self._traced))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._ready.close()
        self._wire.close()
        self._stderr.close()
        self._folder.cleanup()

    @property
    def folder(self) -> Path:
        """The folder that the child works in, as long as the context lasts."""
        return Path(self._folder.name)

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    def command(self, name: str, phase: Phase) -> int:
        """Have the child do one step; the nanoseconds that it took, as the child read them.

        Raises `ProbeEnded` with the outcome, in `phase`, where the step did not succeed.
        """
        self._send(name.encode() + b"\n")
        word, _, detail = self._answer(name, phase).partition(" ")
        if word == "ok":
            return int(detail)
        raise ProbeEnded(self._refusal(word, detail, phase))

    def status(self, phase: Phase) -> process_status.ProcessStatus:
        """The child's memory at the barrier it waits at."""
        try:
            return process_status.read_status(self.pid)
        except ProcessLookupError:
            raise ProbeEnded(self._death("waiting", phase)) from None

    def caveats(self) -> list[Caveat]:
        """The controls that did not take hold of this child."""
        status = self.status(Phase.IMPORT)
        pinned = self._pin is None or os.sched_getaffinity(self.pid) == {self._pin}
        found = {
            Caveat.ASLR_ON: process_status.randomised(self.pid),
            Caveat.THP_ON: status.thp_enabled,
            Caveat.NOT_PINNED: not pinned,
        }
        return [caveat for caveat, holds in found.items() if holds]

    def _send(self, data: bytes) -> None:
        try:
            self._wire.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            # It is dead; the answer that never comes will tell how.
            return

    def _answer(self, name: str, phase: Phase) -> str:
        """The child's next line; what it writes to stderr meanwhile is kept, so that it can never block."""
        deadline = time.monotonic() + self._conditions.step_timeout_seconds
        while b"\n" not in self._answers:
            left = deadline - time.monotonic()
            if left <= 0:
                self._process.kill()
                seconds = self._conditions.step_timeout_seconds
                raise ProbeEnded(
                    Outcome(OutcomeKind.TIMED_OUT, f"{name} did not end within {seconds:g} s", phase)
                )
            for key, _ in self._ready.select(left):
                if key.fileobj is self._stderr:
                    if not self._drain_log():
                        self._ready.unregister(self._stderr)
                elif chunk := self._receive():
                    self._answers += chunk
                else:
                    raise ProbeEnded(self._death(name, phase))
        line, _, self._answers = self._answers.partition(b"\n")
        return line.decode(errors="replace")

    def _receive(self) -> bytes:
        try:
            return self._wire.recv(4096)
        except ConnectionResetError:
            return b""

    def _drain_log(self) -> bool:
        """Take what the child has printed, of which the end is kept; False once it can print no more."""
        chunk = self._stderr.read(65536)
        self._log = (self._log + (chunk or b""))[-_LOG_BYTES_KEPT:]
        return chunk != b""

    def _refusal(self, word: str, detail: str, phase: Phase) -> Outcome:
        """The outcome of a step that the child itself reports as not done."""
        self._drain_log()
        said = self._log.decode(errors="replace").splitlines()
        unknown = next((line for line in said if line.endswith("not exists or registered")), None)
        if unknown is not None and phase is Phase.LOAD_PARAM:
            operator = unknown.removeprefix("layer ").partition(" ")[0]
            return Outcome(OutcomeKind.UNSUPPORTED, f"this ncnn has no layer {operator}", phase)
        if word == "failed":
            return self._failure(OutcomeKind.FAILED, _with_log(detail, said), phase)
        return Outcome(OutcomeKind(word), detail, phase)

    def _death(self, name: str, phase: Phase) -> Outcome:
        """The outcome of a child that died, by what the kernel says of it."""
        status = self._process.wait()
        self._drain_log()
        said = self._log.decode(errors="replace").splitlines()
        if status >= 0:
            cause = _with_log(f"exit status {status} in {name}", said)
            return self._failure(OutcomeKind.CRASHED, cause, phase)
        starved = process_status.out_of_memory_kills() > self._kills_before
        if status == -signal.SIGKILL and starved:
            return Outcome(
                OutcomeKind.OUT_OF_MEMORY, f"killed by the kernel for want of memory in {name}", phase
            )
        if any("bad_alloc" in line for line in said):
            return Outcome(OutcomeKind.OUT_OF_MEMORY, _with_log(f"out of memory in {name}", said), phase)
        killer = signal.Signals(-status).name
        return self._failure(OutcomeKind.CRASHED, _with_log(f"{killer} in {name}", said), phase)

    def _failure(self, kind: OutcomeKind, cause: str, phase: Phase) -> Outcome:
        """A failure, or what it comes to under a memory limit, where ncnn may return errors or crash."""
        limit = self._conditions.memory_limit_bytes
        if limit is None:
            return Outcome(kind, cause, phase)
        return Outcome(OutcomeKind.OUT_OF_MEMORY, f"limited to {limit} bytes: {cause}", phase)


def die_with_parent() -> None:
    """Have the kernel kill this process once its parent is gone, however the parent went."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _with_log(cause: str, said: list[str]) -> str:
    """The cause with the last thing that ncnn printed about it."""
    last = next((line.strip() for line in reversed(said) if line.strip()), "")
    return f"{cause} ({last})" if last else cause


def _interpreter() -> str:
    """The interpreter itself: a virtual environment's link would only add a lookup to the child."""
    return getattr(sys, "_base_executable", None) or sys.executable


def _environment(threads: int, tunables: str | None) -> dict[str, str]:
    """All that the child's environment holds: its size moves figures more than most regressions do."""
    environment = {"OMP_NUM_THREADS": str(threads)}
    if tunables is not None:
        environment["GLIBC_TUNABLES"] = tunables
    if "LD_LIBRARY_PATH" in os.environ:
        # Some builds of Python find their own library by it alone.
        environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    return environment


def _controls(cpu: int | None, memory_limit_bytes: int | None) -> Callable[[], None]:
    """What the child does to itself between fork and exec; `Child.caveats` tells what did not work."""

    def apply() -> None:
        die_with_parent()
        _libc.prctl(_PR_SET_THP_DISABLE, 1, 0, 0, 0)
        _libc.personality(_libc.personality(_PERSONALITY_QUERY) | process_status.ADDR_NO_RANDOMIZE)
        if cpu is not None:
            with suppress(OSError):
                os.sched_setaffinity(0, {cpu})
        if memory_limit_bytes is not None:
            resource.setrlimit(resource.RLIMIT_AS, (memory_limit_bytes, memory_limit_bytes))

    return apply
