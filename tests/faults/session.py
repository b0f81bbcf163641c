"""A user's session in a folder of its own, as the tests of its faults drive it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ncnn_peakmem import machine, runtimes
from tests.fixtures.conftest import MODELS, Finished, Project
from tests.processes import assert_nobody_works_in

STOPPING = """
import os, signal
from pathlib import Path
from ncnn_peakmem import whole_file
from ncnn_peakmem.probe.launcher import Child

left = int(os.environ["STOP_AT"])
number = getattr(signal, os.environ["STOP_BY"])

def moment():
    global left
    left -= 1
    if left == 0:
        if "PYTEST_XDIST_WORKER" not in os.environ and number != signal.SIGINT:
            os.kill(os.getpid(), number)
        elif number == signal.SIGINT:
            # As a terminal does it: to all that are in the foreground.
            os.killpg(0, number)
        else:
            os.kill(os.getppid(), number)

def between(real):
    def call(*given, **named):
        moment()
        told = real(*given, **named)
        moment()
        return told
    return call

Child.command, whole_file.write = between(Child.command), between(whole_file.write)
"""
"""Sends a signal at the n-th step of a child, or write of a file, that begins or ends."""

TIMED = """
import os, signal
number, seconds = getattr(signal, os.environ["STOP_BY"]), float(os.environ["STOP_AFTER"])

def pytest_sessionstart():
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), number))
    signal.setitimer(signal.ITIMER_REAL, seconds)

def pytest_unconfigure():
    signal.setitimer(signal.ITIMER_REAL, 0)
"""
"""Sends a signal some time after the session began, whatever goes on then."""


@dataclass
class Session(Project):
    """A project of which all that is temporary has a place of its own, and whose commands can be wrapped."""

    wrapper: list[str] = field(default_factory=list)

    @property
    def temporary(self) -> Path:
        """Where its temporary files go."""
        place = self.folder / "temporary"
        place.mkdir(exist_ok=True)
        return place

    def pytest(self, *arguments: str) -> Finished:
        """Run pytest with the gate on gauge heap, and wait until all that it began is gone."""
        return self.finish(self.command("--peakmem-gauges=heap", *arguments))

    def program(self, *arguments: str, before: str = "") -> Finished:
        """Run `ncnn-peakmem` after some lines of Python."""
        call = "from ncnn_peakmem.cli import main; main()"
        return self.finish([sys.executable, "-c", f"{before}\n{call}", *arguments])

    def finish(self, command: list[str]) -> Finished:
        """Run a command to its end, and see that no process is left."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        environment = {**inherited, "TMPDIR": str(self.temporary), **self.environment}
        # Files, not pipes: the end of a pipe is not seen before the last process that was left has gone.
        with (self.folder / "said").open("w") as said:
            code = subprocess.run(
                [*self.wrapper, *command],
                cwd=self.folder,
                env={name: value for name, value in environment.items() if value},
                stdout=said,
                stderr=subprocess.STDOUT,
                timeout=300,
                check=False,
                start_new_session=True,
            ).returncode
        assert_nobody_works_in(self.folder)
        finished = Finished(code, (self.folder / "said").read_text())
        assert "Traceback" not in finished.text, finished.text
        return finished

    def stop_at(self, moment: int, by: signal.Signals) -> None:
        """Have the next commands be sent a signal at their n-th moment; see `STOPPING`."""
        self.plug_in("stopping", STOPPING)
        self.environment |= {"STOP_AT": str(moment), "STOP_BY": by.name}

    def records(self) -> Mapping[str, bytes]:
        """What the runs have kept of cases, by case."""
        kept = self.folder.glob("cache/runs/*/*/*.json")
        return {record.stem: record.read_bytes() for record in kept}

    @property
    def baseline(self) -> Path:
        """Where the baselines of the installed ncnn belong."""
        version = runtimes.installed().version
        return self.folder / "baselines" / machine.detect().id / f"{version}.json"

    def left(self) -> list[Path]:
        """What we left among the temporary files; pytest keeps some of its own there."""
        return sorted(self.temporary.glob("peakmem-work-*"))

    def drafts(self) -> list[Path]:
        """Files that were begun and never finished."""
        return [path for path in self.folder.rglob(".*") if path.suffix == ".tmp"]


def session_in(folder: Path, param: str) -> Session:
    """A session on the small network."""
    (folder / "small.param").write_text(param)
    (folder / "models.yaml").write_text(MODELS)
    return Session(folder)


def cases_of(file: Path) -> list[str]:
    """The cases that a file of baselines or figures has."""
    return sorted(json.loads(file.read_text())["cases"])


def write_wheel(folder: Path, version: str, module: bytes) -> Path:
    """A wheel of ncnn whose module is some Python, with all that pip writes down of an installed one."""
    about = f"ncnn-{version}.dist-info"
    files = {
        "ncnn/ncnn.py": module,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: ncnn\nVersion: {version}\n".encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{name},sha256={_recorded(data)},{len(data)}\n" for name, data in files.items()]
    wheel = folder / f"ncnn-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.writestr(f"{about}/RECORD", "".join([*rows, f"{about}/RECORD,,\n"]))
    return wheel


def _recorded(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
