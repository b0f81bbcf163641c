"""The session is killed while its child runs: nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ncnn_peakmem import runtimes
from ncnn_peakmem.measurement import Phase
from ncnn_peakmem.network import ModelFiles
from ncnn_peakmem.reliability import injection
from tests.faults.conftest import HANG, Faulty, gone
from tests.fixtures.conftest import Project

SESSIONS = """\
import json, os, signal, sys
from pathlib import Path
from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.network import Loops, ModelFiles
from ncnn_peakmem.probe import Conditions, Job, probe
from ncnn_peakmem.runtimes import Runtime
told = json.loads(sys.argv[1])
model = ModelFiles(Path(told["param"]), None, (), (), "")
for module in told["modules"]:
    if os.fork() == 0:
        probe(Gauge(told["gauge"]), Job(Runtime("1", Path(module)), model, {}), Loops(2, 2), Conditions())
        os._exit(1)
signal.pause()
"""
"""One session for each module: each hangs in its phase."""

HANG_AND_TELL = (
    "with open({fifo!r}, 'w') as told: told.write('%d %d\\n' % (posix.getppid(), posix.getpid()))\n" + HANG
)


def told(fifo: Path, count: int) -> list[tuple[int, int]]:
    """Parent and child of so many probes that hang, as they come."""
    pairs: list[tuple[int, int]] = []
    while len(pairs) < count:
        for line in fifo.read_text().splitlines():
            parent, child = map(int, line.split())
            pairs.append((parent, child))
    return pairs


@pytest.mark.fault("the parent of a child is killed by SIGKILL, in each phase", "no process is left")
@pytest.mark.parametrize("gauge", ["heap", "pages"])
def test_parent_is_killed(faulty: Faulty, small_model: ModelFiles, tmp_path: Path, gauge: str) -> None:
    fifo = tmp_path / "told"
    os.mkfifo(fifo)
    modules = [str(faulty(phase, HANG_AND_TELL.format(fifo=str(fifo))).module) for phase in Phase]
    job = {"param": str(small_model.param), "gauge": gauge, "modules": modules}
    host = subprocess.Popen(
        [sys.executable, "-c", SESSIONS, json.dumps(job)], env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    try:
        pairs = told(fifo, len(Phase))
        assert all(psutil.pid_exists(child) for _, child in pairs)

        for parent, _ in pairs:
            os.kill(parent, signal.SIGKILL)

        assert gone([child for _, child in pairs])
    finally:
        host.kill()
        host.wait()


WORK = """\
import os, sys
from pathlib import Path
from ncnn_peakmem.conversion.bench import Bench
from ncnn_peakmem.conversion.error import Stage
from ncnn_peakmem.runtimes.process import finish
tool = ["sh", "-c", f"echo $PPID $$ > {sys.argv[1]}; exec sleep 600"]
if sys.argv[2] == "converting":
    Bench("small", Path.cwd(), Path.cwd() / "logs", 600, lambda _: None).run(Stage.CONVERT, tool)
else:
    finish(tool, 600, os.environ)
"""


@pytest.mark.fault("the parent is killed while converting", "the stage under way ends with it")
@pytest.mark.fault("the parent is killed while installing a release", "pip ends with it")
@pytest.mark.parametrize("work", ["converting", "installing"])
def test_parent_of_a_tool_is_killed(tmp_path: Path, work: str) -> None:
    fifo = tmp_path / "told"
    os.mkfifo(fifo)
    parent = subprocess.Popen([sys.executable, "-c", WORK, str(fifo), work], cwd=tmp_path)
    try:
        ((pid, tool),) = told(fifo, 1)
        assert pid == parent.pid
    finally:
        parent.kill()
        parent.wait()

    ended = gone([tool])
    if not ended:
        os.kill(tool, signal.SIGKILL)
    assert ended


@pytest.mark.fault(
    "a whole run is killed: the parent of two xdist workers gets SIGKILL while both measure",
    "no worker and no child is left",
)
def test_run_with_workers_is_killed(project: Project, tmp_path: Path) -> None:
    fifo = tmp_path / "told"
    os.mkfifo(fifo)
    body = f"import posix\n{HANG_AND_TELL.format(fifo=str(fifo))}"
    module = injection.standing_in(runtimes.installed(), _hanging_net(body), tmp_path / "hanging").module
    command = project.command("-n2", f"--peakmem-ncnn={module.parents[1]}", "--peakmem-gauges=pages")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    run = subprocess.Popen(
        command,
        cwd=project.folder,
        env={**environment, "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        pairs = told(fifo, 2)
        family = [process.pid for process in psutil.Process(run.pid).children(recursive=True)]
        assert {child for _, child in pairs} <= set(family)
        assert len({parent for parent, _ in pairs}) == 2
    finally:
        run.kill()
        run.wait()

    assert gone(family)


def _hanging_net(act: str) -> str:
    lines = "\n".join(f"        {line}" for line in act.splitlines())
    return f"class Net(real.Net):\n    def load_model(self, source):\n{lines}\n"
