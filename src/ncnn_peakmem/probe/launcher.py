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
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ncnn_peakmem.measurement import Caveat, Outcome, OutcomeKind, Phase
from ncnn_peakmem.owned_folder import ScratchFolder
from ncnn_peakmem.probe import process_status
from ncnn_peakmem.probe.job import Job

PAGE_GRANULAR_MALLOC = "glibc.malloc.mmap_threshold=4096:glibc.malloc.top_pad=0"
"""Every block of a page or more is mapped and unmapped by itself, so that none hides in free heap."""

# A second thread that allocates would get an arena of its own: 64 MiB of address space, for a moment
# 128 MiB, in which all that is held later would go unseen.
_ONE_ARENA = "glibc.malloc.arena_max=1"
_CHILD = Path(__file__).with_name("child.py")
_LOG_BYTES_KEPT = 4096
_ANSWER_BYTES = 1 << 20
_CAUSE_CHARACTERS = 600
_DYING_SECONDS = 10.0
_REFUSALS = frozenset({OutcomeKind.UNSUPPORTED, OutcomeKind.FAILED, OutcomeKind.OUT_OF_MEMORY})
_PR_SET_PDEATHSIG = 1
_PR_SET_THP_DISABLE = 41
_PERSONALITY_QUERY = 0xFFFFFFFF

_libc = ctypes.CDLL(None)

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
        """The child, started; `ProbeEnded` where the machine does not let it be."""
        try:
            with ExitStack() as begun:
                self._start(begun)
                self._held = begun.pop_all()
        except (OSError, subprocess.SubprocessError) as error:
            cause = f"the child could not be started: {_tidy(str(error))}"
            raise ProbeEnded(Outcome(OutcomeKind.FAILED, cause, Phase.IMPORT)) from error
        return self

    def _start(self, begun: ExitStack) -> None:
        self._folder = begun.enter_context(ScratchFolder()).path
        self._job.lay(self._folder)
        self._kills_before = process_status.out_of_memory_kills()
        self._wire, childs_end = socket.socketpair()
        begun.enter_context(self._wire)
        with childs_end, _CHILD.open("rb") as script:
            self._process = subprocess.Popen(
                [_interpreter(), "-I", "-S", "-B", "-X", "utf8", "-"],
                stdin=script,
                stdout=childs_end.fileno(),
                stderr=subprocess.PIPE,
                cwd=self._folder,
                env=self._environment,
                start_new_session=True,
                preexec_fn=_controls(self._pin, self._conditions.memory_limit_bytes),
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
            raise ProbeEnded(self._refusal(OutcomeKind(word), _tidy(detail), phase))
        raise ProbeEnded(self._breach(f"answered {name} with {_tidy(answer[:40])!r}", phase))

    def status(self, phase: Phase) -> process_status.ProcessStatus:
        """The child's memory at the barrier it waits at."""
        try:
            return process_status.read_status(self.pid, parent=os.getpid())
        except ProcessLookupError:
            raise ProbeEnded(self._death("waiting", phase)) from None
        except process_status.NotTold as error:
            raise ProbeEnded(Outcome(OutcomeKind.FAILED, str(error), phase)) from error

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

    def _refusal(self, word: OutcomeKind, detail: str, phase: Phase) -> Outcome:
        """The outcome of a step that the child itself reports as not done."""
        self._drain_log()
        said = _lines(self._log)
        unknown = next((line for line in said if line.endswith("not exists or registered")), None)
        if unknown is not None and phase is Phase.LOAD_PARAM:
            operator = unknown.removeprefix("layer ").partition(" ")[0]
            return Outcome(OutcomeKind.UNSUPPORTED, f"this ncnn has no layer {operator}", phase)
        if word is OutcomeKind.FAILED:
            return self._failure(OutcomeKind.FAILED, _with_log(detail, said), phase)
        # A MemoryError seldom has a text of its own.
        return Outcome(word, f"{detail}MemoryError" if detail.endswith(": ") else detail, phase)

    def _breach(self, what: str, phase: Phase) -> Outcome:
        """The outcome of a child that does not keep to the protocol: what it would say means nothing."""
        self._kill()
        self._drain_log()
        return self._failure(OutcomeKind.FAILED, _with_log(f"the child {what}", _lines(self._log)), phase)

    def _death(self, name: str, phase: Phase) -> Outcome:
        """The outcome of a child that died, by what the kernel says of it."""
        status = self._exit_status()
        self._drain_log()
        said = _lines(self._log)
        if status is None:
            return self._failure(OutcomeKind.FAILED, _with_log(f"the child hung up in {name}", said), phase)
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
        cause = _with_log(f"{_signal_name(-status)} in {name}", said)
        return self._failure(OutcomeKind.CRASHED, cause, phase)

    def _failure(self, kind: OutcomeKind, cause: str, phase: Phase) -> Outcome:
        """A failure, or what it comes to under a memory limit, where ncnn may return errors or crash."""
        limit = self._conditions.memory_limit_bytes
        if limit is None:
            return Outcome(kind, cause, phase)
        return Outcome(OutcomeKind.OUT_OF_MEMORY, f"limited to {limit} bytes: {cause}", phase)

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


def die_with_parent(by: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal once its parent is gone, however the parent went."""
    _libc.prctl(_PR_SET_PDEATHSIG, by)


def _lines(log: bytes) -> list[str]:
    """What was printed, as text that is safe to show."""
    return [_tidy(line) for line in log.decode(errors="replace").splitlines()]


def _tidy(text: str) -> str:
    """A text from the child on one line, of a length and in characters that reports can show."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    return shown if len(shown) <= _CAUSE_CHARACTERS else f"{shown[:_CAUSE_CHARACTERS]}..."


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        # Most of the real-time signals have no name.
        return f"signal {number}"


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
    if threads > 1:
        # Threads that spin while they wait take the CPU from those they wait for where it is busy. How they
        # wait moves no figure.
        environment["OMP_WAIT_POLICY"] = "passive"
    if tunables is not None:
        environment["GLIBC_TUNABLES"] = tunables if threads == 1 else f"{tunables}:{_ONE_ARENA}"
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
        # Where memory runs out, it is this process that has to go, and not the session that measures it.
        with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123 - after fork
            score.write("1000")
        if memory_limit_bytes is not None:
            _, most = resource.getrlimit(resource.RLIMIT_AS)
            limit = memory_limit_bytes if most == resource.RLIM_INFINITY else min(memory_limit_bytes, most)
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    return apply
