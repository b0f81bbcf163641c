"""Ctrl-C, SIGTERM and SIGKILL at any moment of a session: what was measured is kept, nothing is left."""

from __future__ import annotations

import random
import secrets
import signal
from pathlib import Path

import pytest

from ncnn_peakmem.measurement import Measurement, Phase
from tests.conftest import SMALL_PARAM
from tests.faults.conftest import HANG, PRETENDED
from tests.faults.session import STOPPING, TIMED, Session, cases_of, session_in

# What the four cases go through with gauge heap.
MOMENTS = 100
# The seconds after which a timer goes off: while the session assembles and collects, and while it measures.
BETWEEN = {"early": (0.0, 0.4), "late": (0.2, 1.2)}
CODES = {signal.SIGINT: pytest.ExitCode.INTERRUPTED, signal.SIGTERM: 143}


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return session_in(tmp_path, SMALL_PARAM)


def moments(seed: str, count: int) -> list[int]:
    """Some in each part of a run."""
    chance = random.Random(seed)
    part = MOMENTS // count
    return [chance.randrange(number * part, (number + 1) * part) + 1 for number in range(count)]


def assert_kept(session: Session, told: str) -> None:
    """Whatever was measured is whole, and has become the baseline if the writing of it was not stopped."""
    measured = session.records()
    for record in measured.values():
        Measurement.from_json(record)
    stored = cases_of(session.baseline) if session.baseline.exists() else []
    assert stored == sorted(measured) or (stored == [] and "writing was interrupted" in told)
    assert session.drafts() == []


@pytest.mark.parametrize("moment", moments("int", 2))
@pytest.mark.fault(
    "Ctrl-C as a step of a probe or a write begins or ends, in a run that updates baselines",
    "exit code 2; cases measured by then become baselines; no process, folder or half a file is left",
)
def test_ctrl_c(session: Session, moment: int) -> None:
    session.stop_at(moment, signal.SIGINT)

    finished = session.pytest("-p", "stopping", "--peakmem-update")

    assert finished.code == CODES[signal.SIGINT], finished.text
    assert_kept(session, finished.text)
    assert session.left() == []


@pytest.mark.parametrize("moment", moments("term", 3))
@pytest.mark.fault(
    "SIGTERM as a step of a probe or a write begins or ends, in a run that updates baselines",
    "as Ctrl-C, with exit code 143",
)
def test_sigterm(session: Session, moment: int) -> None:
    session.stop_at(moment, signal.SIGTERM)

    finished = session.pytest("-p", "stopping", "--peakmem-update")

    assert finished.code == CODES[signal.SIGTERM], finished.text
    assert_kept(session, finished.text)
    assert session.left() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.fault(
    "Ctrl-C or SIGTERM while two xdist workers measure",
    "exit code 2 or 143; no process is left; the workers' folders go with them or with the next run",
)
def test_stopped_with_workers(session: Session, number: signal.Signals) -> None:
    (moment,) = moments(f"workers {number.name}", 1)
    session.stop_at(moment // 2 + 1, number)

    finished = session.pytest("-p", "stopping", "--peakmem-update", "-n", "2")

    assert finished.code == CODES[number], finished.text
    for record in session.records().values():
        Measurement.from_json(record)
    assert session.drafts() == []
    assert session.program("measure", "small").code == 0
    assert session.left() == []


@pytest.mark.fault(
    "SIGKILL in the middle of a probe",
    "what was measured is kept; the folders that it left go with the next run, those of live runs stay",
)
def test_killed(session: Session) -> None:
    session.stop_at(MOMENTS // 2 + 1, signal.SIGKILL)
    assert session.pytest("-p", "stopping", "--peakmem-update").code == -signal.SIGKILL
    kept = session.records()
    assert kept
    assert session.left()

    assert session.program("measure", "small").code == 0

    assert session.left() == []
    assert session.records() == kept


@pytest.mark.parametrize("seed", [secrets.randbits(32) for _ in BETWEEN], ids=[*BETWEEN])
@pytest.mark.fault(
    "SIGTERM by a timer, at another moment of a run that updates baselines each time",
    "exit code 143, or all is done; all but the case under way becomes baselines; no traceback",
)
def test_sigterm_by_timer(session: Session, seed: int, request: pytest.FixtureRequest) -> None:
    seconds = random.Random(seed).uniform(*BETWEEN[request.node.callspec.id])
    session.plug_in("timed", TIMED)
    session.environment |= {"STOP_AFTER": str(seconds), "STOP_BY": "SIGTERM"}

    finished = session.pytest("-p", "timed", "--peakmem-update")

    told = f"seed {seed}, after {seconds} s: {finished.code}\n{finished.text}"
    measured = {Measurement.from_json(record).case for record in session.records().values()}
    stored = set(cases_of(session.baseline)) if session.baseline.exists() else set()
    assert len(measured - stored) <= 1, told
    # It may come when the code is settled, or not at all.
    done = finished.code == 0 and len(stored) == len(session.cases)
    assert finished.code == CODES[signal.SIGTERM] or done, told
    assert session.drafts() == [], told
    assert session.program("measure", "small").code == 0
    assert session.left() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.fault(
    "Ctrl-C or SIGTERM in the middle of an inference that hangs",
    "exit code 2 or 143 at once; no process and no folder is left",
)
def test_stopped_while_a_child_hangs(session: Session, number: signal.Signals) -> None:
    # The child sends it when the session waits for its answer, and for nothing else.
    act = f"    posix.kill(posix.getppid(), {int(number)})\n    {HANG}"
    package = session.folder / "hanging" / "ncnn"
    package.mkdir(parents=True)
    source = PRETENDED.format(phase=str(Phase.FIRST), act=act)
    source = source.replace("num_threads = 1", "num_threads = 1; lightmode = True")
    (package / "ncnn.py").write_text(f"__version__ = '1.0.20990101'\n{source}")

    finished = session.pytest("--peakmem-update", f"--peakmem-ncnn={package.parent}")

    assert finished.code == CODES[number], finished.text
    assert session.records() == {}
    assert session.left() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.fault(
    "Ctrl-C or SIGTERM while a session looks for its builds of ncnn",
    "exit code 2 or 143; no folder is left",
)
def test_stopped_while_assembling(session: Session, number: signal.Signals) -> None:
    session.plug_in(
        "assembling",
        "import os, signal\n"
        "from ncnn_peakmem import runtimes\n"
        f"runtimes.resolve = lambda *_, **__: os.kill(os.getpid(), {int(number)})\n",
    )

    finished = session.pytest("-p", "assembling", "--peakmem-update")

    assert finished.code == CODES[number], finished.text
    assert session.left() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.fault(
    "Ctrl-C or SIGTERM while a model is converted",
    "exit code 2 or 143; no process is left, and nothing of the model is in the cache",
)
def test_stopped_while_converting(session: Session, number: signal.Signals) -> None:
    text = (session.folder / "models.yaml").read_text()
    text = text.replace("small: {param: small.param}", "small: {topology: resnet18}")
    (session.folder / "models.yaml").write_text(text)
    session.plug_in("slow_build", f"import posix\nposix.kill(posix.getppid(), {int(number)})\n{HANG}\n")
    session.plug_in(
        "converting", "from ncnn_peakmem.conversion import recipe\nrecipe._BUILD = 'slow_build'\n"
    )

    finished = session.pytest("-p", "converting", "--peakmem-update", "-k", "small")

    assert finished.code == CODES[number], finished.text
    assert not list(session.folder.glob("cache/**/net.*"))
    assert session.left() == []


@pytest.mark.parametrize("ctrl_c", [True, False])
@pytest.mark.fault(
    "SIGTERM while xdist's workers are told to end, after Ctrl-C too, which is how CI cancels a run",
    "exit code 143; cases measured by then become baselines",
)
def test_terminated_while_workers_end(session: Session, *, ctrl_c: bool) -> None:
    session.plug_in(
        "cancelled",
        "import os, signal\n"
        "from xdist.workermanage import NodeManager\n"
        "teardown_nodes, reports = NodeManager.teardown_nodes, []\n"
        "def pytest_runtest_logreport(report):\n"
        "    reports.append(report)\n"
        f"    if {ctrl_c} and 'PYTEST_XDIST_WORKER' not in os.environ and len(reports) == 6:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "def pytest_keyboard_interrupt():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "def teardown_terminated(manager):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    teardown_nodes(manager)\n"
        "NodeManager.teardown_nodes = teardown_terminated\n",
    )

    finished = session.pytest("-p", "cancelled", "--peakmem-update", "-n", "2")

    assert finished.code == CODES[signal.SIGTERM], finished.text
    assert len(cases_of(session.baseline)) >= (2 if ctrl_c else 4)
    assert session.drafts() == []


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.fault(
    "SIGTERM where Python passes over what it raises, such as in a `__del__`",
    "exit code 143 before the next test begins; cases measured by then become baselines",
)
def test_sigterm_passed_over(session: Session, workers: str) -> None:
    session.plug_in(
        "deaf",
        "import contextlib, os, signal\n"
        "def pytest_runtest_logreport(report):\n"
        "    if report.when == 'call' and 'PYTEST_XDIST_WORKER' not in os.environ:\n"
        "        with contextlib.suppress(KeyboardInterrupt): os.kill(os.getpid(), signal.SIGTERM)\n",
    )

    finished = session.pytest("-p", "deaf", "--peakmem-update", "-n", workers)

    assert finished.code == CODES[signal.SIGTERM], finished.text
    assert "Terminated" in finished.text
    # Workers carry out what they were given already.
    assert len(cases_of(session.baseline)) == 1 or workers == "2"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["measure", "compare", "anatomy"])
@pytest.mark.fault(
    "Ctrl-C or SIGTERM as a step begins or ends in `ncnn-peakmem measure`, `compare` and `anatomy`",
    "exit code 130 or 143, in a word; no process and no folder is left",
)
def test_program_stopped(session: Session, command: str, number: signal.Signals) -> None:
    moment = random.Random(f"{command} {number.name}").randrange(1, 20)
    session.environment |= {"STOP_AT": str(moment), "STOP_BY": number.name}
    what = {"compare": ["installed", "installed"]}.get(command, ["small"])

    finished = session.program(command, *what, before=STOPPING)

    assert finished.code == {signal.SIGINT: 130, signal.SIGTERM: 143}[number], finished.text
    assert {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}[number] in finished.text
    assert session.left() == []
