"""Starts a child under exact conditions, commands it step by step, and sees how it ends."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ncnn_peakmem.measurement import Caveat, Outcome, OutcomeKind, Phase
from ncnn_peakmem.probe import controls, process_status, script
from ncnn_peakmem.probe.ending import Ending, tidy
from ncnn_peakmem.probe.job import Job
from ncnn_peakmem.probe.working_folder import working_folder

_LOG_BYTES_KEPT = 4096
_ANSWER_BYTES = 1 << 20
_DYING_SECONDS = 10.0
_REFUSALS = frozenset({OutcomeKind.UNSUPPORTED, OutcomeKind.FAILED, OutcomeKind.OUT_OF_MEMORY})

_undying: list[subprocess.Popen[bytes]] = []
"""Children that the kernel holds on to though they were killed: they end when it lets go of them."""


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

    @classmethod
    def pinned(cls, step_timeout_seconds: float = 120.0) -> Self:
        """Held to the first CPU that this process may run on."""
        return cls(step_timeout_seconds, cpu=min(os.sched_getaffinity(0)))


class Child:
    """A process that runs `child.py` in a folder of its own; its context leaves neither behind."""

    def __init__(
        self, job: Job, conditions: Conditions, *, tunables: str | None = None, traced: bool = False
    ) -> None:
        self._job = job
        self._traced = traced
        self._conditions = conditions
        self._pin = conditions.cpu if job.threads == 1 else None
        self._environment = controls.environment(job.threads, tunables)
        self._log = b""
        self._answers = b""

    def __enter__(self) -> Self:
        """The child, started; `ProbeEnded` where the machine does not let it be."""
        try:
            with ExitStack() as begun:
                self._start(begun)
                self._held = begun.pop_all()
        except (OSError, subprocess.SubprocessError) as error:
            cause = f"the child could not be started: {tidy(str(error))}"
            raise ProbeEnded(Outcome(OutcomeKind.FAILED, cause, Phase.IMPORT, hindered=True)) from error
        return self

    def _start(self, begun: ExitStack) -> None:
        self._folder = begun.enter_context(working_folder(traced=self._traced)).path
        self._job.lay(self._folder)
        self._kills_before = process_status.out_of_memory_kills()
        self._wire, childs_end = socket.socketpair()
        begun.enter_context(self._wire)
        with childs_end, script.opened(self._job.model.detections) as text:
            self._process = subprocess.Popen(
                [_interpreter(), "-I", "-S", "-B", "-X", "utf8", "-"],
                stdin=text,
                stdout=childs_end.fileno(),
                stderr=subprocess.PIPE,
                cwd=self._folder,
                env=self._environment,
                start_new_session=True,
                preexec_fn=controls.before_exec(self._pin, self._conditions.memory_limit_bytes),
            )
        begun.callback(self._end)
        assert self._process.stderr is not None
        self._stderr = begun.enter_context(self._process.stderr)
        os.set_blocking(self._stderr.fileno(), False)
        self._ready = begun.enter_context(selectors.DefaultSelector())
        self._ready.register(self._wire, selectors.EVENT_READ)
        self._ready.register(self._stderr, selectors.EVENT_READ)
        with suppress(OSError):
            # Some kernels and containers have no such thing. It tells of a death that the wire does not,
            # because a process that the child has left behind holds the other end.
            death = os.pidfd_open(self.pid)
            begun.callback(os.close, death)
            self._ready.register(death, selectors.EVENT_READ)
        self._send(self._job.message(traced=self._traced))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._held.close()

    @property
    def folder(self) -> Path:
        """The folder that the child works in, as long as the context lasts."""
        return self._folder

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    def command(self, name: str, phase: Phase) -> int:
        """Have the child do one step; the nanoseconds that it took, as the child read them.

        Raises `ProbeEnded` with the outcome, in `phase`, where the step did not succeed.
        """
        if self._answers or self._unasked():
            raise ProbeEnded(self._breach(f"answered before {name} was asked of it", phase))
        deadline = time.monotonic() + self._conditions.step_timeout_seconds
        self._send(name.encode() + b"\n")
        answer = self._answer(name, phase, deadline)
        word, _, detail = answer.partition(" ")
        if word == OutcomeKind.OK and detail.isascii() and detail.isdigit():
            return int(detail)
        if word in _REFUSALS:
            raise ProbeEnded(self._ending(phase).refusal(OutcomeKind(word), detail))
        raise ProbeEnded(self._breach(f"answered {name} with {tidy(answer[:40])!r}", phase))

    def status(self, phase: Phase) -> process_status.ProcessStatus:
        """The child's memory at the barrier it waits at."""
        try:
            return process_status.read_status(self.pid, parent=os.getpid())
        except ProcessLookupError:
            raise ProbeEnded(self._death("waiting", phase)) from None
        except process_status.NotTold as error:
            raise ProbeEnded(Outcome(OutcomeKind.FAILED, str(error), phase, hindered=True)) from error

    def caveats(self) -> list[Caveat]:
        """The controls that did not take hold of this child."""
        status = self.status(Phase.IMPORT)
        found = {
            Caveat.ASLR_ON: process_status.randomised(self.pid),
            Caveat.THP_ON: status.thp_enabled,
            Caveat.NOT_PINNED: self._pin is not None and process_status.cpus(self.pid) != {self._pin},
        }
        return [caveat for caveat, holds in found.items() if holds]

    def _send(self, data: bytes) -> None:
        try:
            self._wire.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            # It is dead; the answer that never comes will tell how.
            return

    def _answer(self, name: str, phase: Phase, deadline: float) -> str:
        """The child's next line; what it writes to stderr meanwhile is kept, so that it can never block."""
        while b"\n" not in self._answers:
            if len(self._answers) > _ANSWER_BYTES:
                raise ProbeEnded(self._breach(f"answered {name} without an end", phase))
            left = deadline - time.monotonic()
            if left <= 0:
                if self._ends_within(0):
                    raise ProbeEnded(self._death(name, phase))
                self._kill()
                seconds = self._conditions.step_timeout_seconds
                raise ProbeEnded(
                    Outcome(OutcomeKind.TIMED_OUT, f"{name} did not end within {seconds:g} s", phase)
                )
            for key, _ in self._ready.select(left):
                if key.fileobj is self._stderr:
                    if not self._drain_log():
                        self._ready.unregister(self._stderr)
                    continue
                chunk = self._receive()
                if not chunk:
                    raise ProbeEnded(self._death(name, phase))
                self._answers += chunk
                if b"\n" in chunk:
                    # It may have ended right after: that is another command's business.
                    break
        line, _, self._answers = self._answers.partition(b"\n")
        return line.decode(errors="replace")

    def _receive(self) -> bytes:
        """What the child has said; nothing where it is dead, or has hung up."""
        try:
            return self._wire.recv(65536, socket.MSG_DONTWAIT)
        except (BlockingIOError, ConnectionResetError):
            return b""

    def _unasked(self) -> bool:
        """Whether the child, of which nothing is asked, has something to say."""
        try:
            return bool(self._wire.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK))
        except (BlockingIOError, ConnectionResetError):
            return False

    def _drain_log(self) -> bool:
        """Take what the child has printed, of which the end is kept; False once it can print no more."""
        chunk = self._stderr.read(65536)
        self._log = (self._log + (chunk or b""))[-_LOG_BYTES_KEPT:]
        return chunk != b""

    def _ending(self, phase: Phase) -> Ending:
        """What is known of the child when it ends in a phase."""
        self._drain_log()
        return Ending(phase, self._log, self._conditions.memory_limit_bytes)

    def _breach(self, what: str, phase: Phase) -> Outcome:
        self._kill()
        return self._ending(phase).breach(what)

    def _death(self, name: str, phase: Phase) -> Outcome:
        status = self._exit_status()
        starved = process_status.out_of_memory_kills() > self._kills_before
        return self._ending(phase).death(name, status, starved=starved)

    def _exit_status(self) -> int | None:
        """How the child ended, or None where it lives on without its wire; it is not waited for long."""
        if not self._ends_within(min(_DYING_SECONDS, self._conditions.step_timeout_seconds)):
            return None
        self._kill()
        return self._process.wait()

    def _ends_within(self, seconds: float) -> bool:
        """Whether the child ends in that time; it stays a zombie, so that its process group is no other's."""
        deadline = time.monotonic() + seconds
        with suppress(ChildProcessError):
            while os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.001)
        return True

    def _kill(self) -> None:
        """Kill the child and whatever it has started."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def _end(self) -> None:
        self._kill()
        if self._process.returncode is not None or self._ends_within(_DYING_SECONDS):
            self._process.wait()
        else:
            _undying.append(self._process)


def _interpreter() -> str:
    """The interpreter itself: a virtual environment's link would only add a lookup to the child."""
    return getattr(sys, "_base_executable", None) or sys.executable
