"""A bench: where one conversion's stages run, each in a process of its own, with a time limit and a log."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ncnn_peakmem.conversion.error import ConversionError, Stage

Progress = Callable[[str], None]

_TAIL_LINES = 8
_TAIL_BYTES = 4096
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Bench:
    """Runs stages of one network's conversion with `folder` as their working directory."""

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
    return tuple(_COLOUR.sub("", line).rstrip() for line in lines if line.strip())[-_TAIL_LINES:]
