"""Faults of the child and of the machine: stand-ins that misbehave, and places where little works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from ncnn_peakmem import runtimes
from ncnn_peakmem.measurement import Gauge, Measurement, Phase, Reading
from ncnn_peakmem.network import Loops, ModelFiles
from ncnn_peakmem.probe import Conditions, Job, launcher, probe
from ncnn_peakmem.runtimes import Runtime
from tests.fixtures.conftest import project as project
from tests.pretended_ncnn import BUT_NET

ROOT = Path(__file__).parents[2]
FEW = Loops(minimum=2, maximum=2)

Measure = Callable[..., Reading]
Faulty = Callable[..., Runtime]
Elsewhere = Callable[..., Measurement]

PRETENDED = (
    BUT_NET
    + """
def act():
{act}

def at(phase):
    if phase == {phase!r}:
        act()

class Net:
    opt = Opt()
    extractors = 0
    def load_param(self, path):
        at("load_param")
        return 0
    def load_model(self, source):
        at("load_model")
        return 0
    def create_extractor(self):
        self.extractors += 1
        at(("first", "steady", "")[min(self.extractors, 3) - 1])
        return Extractor()
    def clear(self):
        at("unload")

at("import")
"""
)
"""In place of ncnn: does nothing at all, save `act` in one phase."""

HANG = "posix.read(posix.pipe()[0], 1)"
"""Waits for what never comes."""


@pytest.fixture
def measure(small_model: ModelFiles) -> Measure:
    """Probe the small network in this process."""

    def run(
        gauge: Gauge,
        runtime: Runtime | None = None,
        *,
        model: ModelFiles = small_model,
        conditions: Conditions | None = None,
        loops: Loops = FEW,
    ) -> Reading:
        return probe(
            gauge, Job(runtime or runtimes.installed(), model, {}), loops, conditions or Conditions()
        )

    return run


@pytest.fixture
def faulty(tmp_path: Path) -> Faulty:
    """A package in place of ncnn that runs some lines of Python in a phase."""

    def make(phase: Phase, act: str) -> Runtime:
        package = Path(tempfile.mkdtemp(dir=tmp_path)) / "ncnn"
        package.mkdir()
        source = PRETENDED.format(phase=str(phase), act=textwrap.indent(act, "    "))
        (package / "ncnn.py").write_text(source)
        return Runtime("1.0.20990101", package / "ncnn.py")

    return make


class Clock:
    """Time as ever until a child hangs: all patience with it is then at an end."""

    sleep = staticmethod(time.sleep)

    def __init__(self, hanging: Path) -> None:
        self._hanging = hanging
        self._passed = 0.0
        self.act = f"posix.mkdir({str(hanging)!r}); posix.write(2, b'here I stand\\n'); {HANG}"
        """Has a child hang, and say so."""

    def monotonic(self) -> float:
        if self._hanging.exists():
            self._hanging.rmdir()
            self._passed += 1e6
        return time.monotonic() + self._passed


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The launcher's: a hang costs no time, and a busy machine cannot make another step one."""
    clock = Clock(tmp_path / "hanging")
    monkeypatch.setattr(launcher, "time", clock)
    return clock


def gone(pids: Iterable[int]) -> bool:
    """Whether these processes end, all of them, within what even a busy machine needs."""
    deadline = time.monotonic() + 30
    while not all(map(_dead, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def _dead(pid: int) -> bool:
    # Not everywhere is there somebody who buries the children of the dead.
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter and write to, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


PROBING = """\
import json, sys
told = json.loads(sys.argv[1])
for line in told["before"]:
    exec(line)
from pathlib import Path
from ncnn_peakmem import machine, runtimes
from ncnn_peakmem.measurement import Gauge, Measurement
from ncnn_peakmem.network import InputBlob, Loops, ModelFiles
from ncnn_peakmem.probe import Conditions, Job, probe
model = ModelFiles(Path(told["param"]), None, (InputBlob("data", (3, 32, 32)),), ("output",), "")
job = Job(runtimes.installed(), model, {}, told["threads"])
readings = {
    gauge: probe(Gauge(gauge), job, Loops(2, 2), Conditions(**told["conditions"])) for gauge in told["gauges"]
}
sys.stdout.buffer.write(Measurement("small", machine.detect().id, readings).to_json())
"""


@pytest.fixture
def elsewhere(open_folder: Path, small_param: Path) -> Elsewhere:
    """Probe a network from a session of its own, on a machine made worse.

    `wrapper` is a command that runs the one appended to it; `preexec` runs before that in the new process,
    and the lines of Python in `before` once it has come to be the session. The measurement's `model` is the
    id of the machine class that is seen there.
    """

    def run(
        *gauges: Gauge,
        wrapper: Sequence[str] = (),
        preexec: Callable[[], None] | None = None,
        before: Sequence[str] = (),
        param: str = "",
        threads: int = 1,
        **conditions: float,
    ) -> Measurement:
        path = open_folder / "small.param"
        path.write_text(param or small_param.read_text())
        path.chmod(0o644)
        told = {
            "param": str(path),
            "gauges": gauges,
            "before": before,
            "threads": threads,
            "conditions": conditions,
        }
        result = subprocess.run(
            [*wrapper, sys.executable, "-B", "-c", PROBING, json.dumps(told)],
            env={"PATH": os.environ["PATH"], "TMPDIR": str(open_folder), "HOME": str(open_folder)},
            cwd=open_folder,
            preexec_fn=preexec,
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert result.returncode == 0, result.stderr.decode()
        return Measurement.from_json(result.stdout)

    return run


def in_namespace(setup: str) -> list[str]:
    """A wrapper that first makes the machine worse, with mounts that nobody else sees."""
    wrapper = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
    tried = subprocess.run([*wrapper, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no right to make a mount namespace: {tried.stderr.strip()}")
    return [*wrapper, "sh", "-ec", f'{setup}\nexec "$@"', "sh"]


def as_nobody(setup: str = "") -> list[str]:
    """A wrapper that runs as a user without any rights, after `setup`; what it needs is made readable."""
    if os.getuid():
        if setup:
            pytest.skip("only the superuser may mount")
        return []
    needed = [Path(path) for path in (sys.base_prefix, sys.prefix, ROOT)]
    closed = {
        folder for path in needed for folder in (path, *path.parents) if not folder.stat().st_mode & 0o001
    }
    covered = [path for path in needed if closed & {path, *path.parents}]
    lines = ["kept=$(mktemp -d)"]
    for number, path in enumerate(covered):
        lines += [f"mkdir $kept/{number}", f"mount --bind {path} $kept/{number}"]
    lines += [f"mount -t tmpfs -o mode=755 none {folder}" for folder in sorted(closed - set(needed))]
    for number, path in enumerate(covered):
        lines += [f"mkdir -p {path}", f"mount --move $kept/{number} {path}", f"rmdir $kept/{number}"]
    lines += ["rmdir $kept", setup]
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    return [*in_namespace("\n".join(lines)), *nobody]


CGROUPS = Path("/sys/fs/cgroup")


class Cgroup:
    """A control group of one controller, in the first or second version of them."""

    def __init__(self, controller: str) -> None:
        unified = (CGROUPS / "cgroup.controllers").exists()
        parent = CGROUPS if unified else CGROUPS / controller
        self.second = unified
        self.path = parent / f"ncnn-peakmem-test-{os.getpid()}"
        try:
            if unified:
                (CGROUPS / "cgroup.subtree_control").write_text(f"+{controller}")
            self.path.mkdir()
        except OSError as error:
            pytest.skip(f"no right to make a control group of {controller}: {error}")

    def set(self, name: str, value: object) -> None:
        (self.path / name).write_text(str(value))

    def limit_memory(self, size_bytes: int) -> None:
        self.set("memory.max" if self.second else "memory.limit_in_bytes", size_bytes)
        swap = self.path / ("memory.swap.max" if self.second else "memory.swappiness")
        if swap.exists():
            swap.write_text("0")

    @property
    def members(self) -> Path:
        return self.path / "cgroup.procs"

    def enter(self) -> None:
        """Move this process in; for `preexec_fn`."""
        self.members.write_text(str(os.getpid()))

    def remove(self) -> None:
        assert gone([int(pid) for pid in self.members.read_text().split()])
        # The kernel counts the dead out a moment after they are gone.
        for _ in range(1000):
            try:
                return self.path.rmdir()
            except OSError:
                time.sleep(0.01)
        return None


@pytest.fixture
def cgroup() -> Iterator[Callable[[str], Cgroup]]:
    """Makes control groups; skips where the test may not."""
    made: list[Cgroup] = []

    def make(controller: str) -> Cgroup:
        made.append(Cgroup(controller))
        return made[-1]

    yield make
    for group in made:
        group.remove()


def finished(phase: Phase) -> list[Phase]:
    """The phases before one."""
    return list(Phase)[: list(Phase).index(phase)]


def in_each_phase(test: Callable[..., None]) -> Callable[..., None]:
    """Give a test the parameters `phase` and `gauge`: every phase, under the recorder and without it."""
    by_gauge = pytest.mark.parametrize("gauge", [Gauge.HEAP, Gauge.PAGES])
    decorated: Callable[..., None] = by_gauge(pytest.mark.parametrize("phase", Phase)(test))
    return decorated


def assert_only_that_phase_is_lost(reading: Reading, gauge: Gauge, phase: Phase) -> None:
    """The child ended in that phase: earlier ones have their figures, and no process is left."""
    assert reading.outcome.phase is phase
    # The recording of a killed child may lack the end of what it had done.
    kept = list(reading.phases)
    assert kept == finished(phase)[: len(kept)]
    if gauge is not Gauge.HEAP:
        assert kept == finished(phase)
    assert psutil.Process().children() == []
