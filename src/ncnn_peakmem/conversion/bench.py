"""A bench: where one conversion's stages run, each in a process of its own, with a time limit and a log."""

from __future__ import annotations

import os
import re
import resource
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import psutil

from ncnn_peakmem.conversion.error import ConversionError, Stage
from ncnn_peakmem.parent_death import die_with_parent

Progress = Callable[[str], None]

_LEAST_MEMORY_BYTES = 1 << 30
# Above what ONNX can hold in a file, and what its data files may have.
_MOST_FILE_BYTES = 32 << 30
_TAIL_LINES = 8
_TAIL_BYTES = 4096
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Bench:
    """Runs stages of one network's conversion with `folder` as their working directory.

    A stage may run for `time_limit` seconds, and hold as much memory as is available when it starts.
    """

    network: str
    folder: Path
    logs: Path
    time_limit: float
    progress: Progress

    def python(self, stage: Stage, module: str, *arguments: object) -> Path:
        """Run a Python module as a stage; see `run`."""
        return self.run(stage, [sys.executable, "-m", module, *map(str, arguments)])

    def run(self, stage: Stage, command: Sequence[str]) -> Path:
        """Run a command and give the log of all it said. Raises ConversionError unless it exits 0."""
        self.progress(f"{self.network}: {stage}")
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{stage.name.lower()}.log"
        with log.open("wb") as output:
            output.write(f"$ {shlex.join(command)}\n".encode())
            output.flush()
            try:
                finished = subprocess.run(
                    command,
                    cwd=self.folder,
                    # The tools draw their tables in Unicode, whatever the locale.
                    env={**os.environ, "PYTHONUTF8": "1"},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=self.time_limit,
                    check=False,
                    preexec_fn=_limits(psutil.virtual_memory().available),
                )
            except subprocess.TimeoutExpired:
                raise self.error(stage, f"still running after {self.time_limit:g} s", log) from None
            except OSError as error:
                raise self.error(stage, f"{command[0]} cannot be started: {error.strerror}") from error
        if finished.returncode == os.EX_DATAERR and (words := _tail(log)):
            raise self.error(stage, words[-1])
        if finished.returncode != 0:
            raise self.error(stage, _exit_words(finished.returncode), log)
        return log

    def error(self, stage: Stage, cause: str, log: Path | None = None, advice: str = "") -> ConversionError:
        """A stage's failure, with the last lines of its log."""
        return ConversionError(self.network, stage, cause, advice, log, _tail(log) if log else ())


def _limits(memory_bytes: int) -> Callable[[], None]:
    """What a stage holds itself to: a model of a few bytes can ask for any amount of memory or disk.

    Its time limit is its parent's to keep, so it does not outlive that.
    """
    limits = {
        resource.RLIMIT_DATA: max(memory_bytes, _LEAST_MEMORY_BYTES),
        resource.RLIMIT_FSIZE: _MOST_FILE_BYTES,
        resource.RLIMIT_CORE: 0,
    }
    allowed = {kind: resource.getrlimit(kind)[1] for kind in limits}

    def apply() -> None:
        die_with_parent()
        for kind, limit in limits.items():
            hard = allowed[kind]
            limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(kind, (limit, limit))

    return apply


def refuse(cause: str) -> NoReturn:
    """End a child process of ours whose input cannot be used; the cause becomes the stage's error."""
    sys.stderr.write(f"{cause}\n")
    sys.exit(os.EX_DATAERR)


def _exit_words(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    words = f"killed by {signal.Signals(-code).name}"
    return f"{words}, perhaps out of memory" if -code == signal.SIGKILL else words


def _tail(log: Path) -> tuple[str, ...]:
    with log.open("rb") as file:
        file.readline()
        file.seek(max(file.tell(), log.stat().st_size - _TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    return tuple(_shown(line) for line in lines if line.strip())[-_TAIL_LINES:]


def _shown(line: str) -> str:
    """A line that may quote a model, without what a terminal would obey."""
    plain = _COLOUR.sub("", line).rstrip()
    return "".join(letter if letter.isprintable() or letter == "\t" else "?" for letter in plain)
