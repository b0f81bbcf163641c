"""`ncnn-peakmem history`, stopped at any moment and begun again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.processes import assert_nobody_works_in

if TYPE_CHECKING:
    from tests.history.conftest import Releases

COULD_NOT_MEASURE, INTERRUPTED = 3, 130
CASES = 6

STOPPED = """
import os, signal, sys
from pathlib import Path
from ncnn_peakmem.baselines import BaselineStore
from ncnn_peakmem.cli.history import history

moment, number = sys.argv.pop(1), float(sys.argv.pop(1))
update, replace = BaselineStore.update, Path.replace

def stop(now):
    global number
    if now == moment:
        number -= 1
        if number == 0:
            stop_now()

def stop_now():
    if moment == "interrupted":
        os.killpg(0, signal.SIGINT)
    else:
        os.kill(os.getpid(), signal.SIGKILL)

def stopped_update(store, measured):
    stop("before")
    told = update(store, measured)
    stop("after")
    stop("interrupted")
    return told

def stopped_replace(draft, target):
    if "baselines" in str(target):
        stop("within")
    return replace(draft, target)

BaselineStore.update, Path.replace = stopped_update, stopped_replace
if moment == "timer":
    # Nothing handles the alarm, so it kills.
    signal.setitimer(signal.ITIMER_REAL, number)
history(prog_name="history")
"""
"""The command, with a moment at which it is stopped: around the n-th store of a case, or after n seconds."""

History = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def history(models: Path, releases: Releases, tmp_path: Path) -> History:
    """Runs `ncnn-peakmem history` on the stand-ins until `moment` comes for the n-th time, if one is named.

    Whatever it begins has the test's folder for its own, and must be gone when it is.
    """
    temporary, index = tmp_path / "temporary", tmp_path / "index"
    temporary.mkdir()
    # In pip's place, one that knows of the stand-ins alone.
    (index / "pip").mkdir(parents=True)
    (index / "pip" / "__init__.py").touch()
    (index / "pip" / "__main__.py").write_text(f"print({json.dumps({'versions': releases.versions})!r})")
    path = [str(index), *filter(None, [os.environ.get("PYTHONPATH")])]

    def run(
        *arguments: object, moment: str = "none", number: float = 0, folder: str = "baselines"
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", STOPPED, moment, str(number), "--cache-dir", str(releases.cache)]
        # Files, not pipes: the end of a pipe is not seen before the last process that was left has gone.
        with (tmp_path / "stdout").open("w") as stdout, (tmp_path / "stderr").open("w") as stderr:
            process = subprocess.run(
                [*command, "--baseline-dir", folder, *map(str, arguments)],
                cwd=tmp_path,
                env={**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join(path)},
                stdout=stdout,
                stderr=stderr,
                timeout=300,
                check=False,
                start_new_session=True,
            )
        assert_nobody_works_in(tmp_path)
        told = [(tmp_path / name).read_text() for name in ("stdout", "stderr")]
        return subprocess.CompletedProcess(process.args, process.returncode, *told)

    return run


def files(folder: Path) -> Mapping[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("*/[!.]*.json")}


def stored(folder: Path) -> int:
    return sum(len(json.loads(text)["cases"]) for text in files(folder).values())


@pytest.fixture
def whole(history: History, releases: Releases, tmp_path: Path) -> Mapping[str, bytes]:
    """The files and the report of a sweep that was never stopped, which leaves no probe counted."""
    result = history("--json", "whole.json", folder="whole")
    assert result.returncode == 0, result.stderr
    assert stored(tmp_path / "whole") == CASES
    releases.log.unlink()
    return files(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_ten_times_and_begun_again(
    history: History, releases: Releases, whole: Mapping[str, bytes], tmp_path: Path, workers: int
) -> None:
    moments = [
        *(("before", 1), ("within", 1), ("after", 1), ("within", 2), ("before", 2)),
        *(("after", 1), ("within", 1), ("before", 1), ("within", 2), ("before", 1)),
    ]
    for moment, number in moments:
        before, probes = stored(tmp_path / "baselines"), len(releases.probes())

        result = history("--workers", workers, moment=moment, number=number)

        assert result.returncode == -signal.SIGKILL, (moment, number, result.stderr)
        gained = stored(tmp_path / "baselines") - before
        assert gained == number - (moment != "after")
        # Two gauges a case; what each worker had at hand is all that is lost.
        assert len(releases.probes()) - probes <= 2 * (gained + workers)

    result = history("--workers", workers, "--json", "resumed.json")

    assert result.returncode == 0, result.stderr
    assert files(tmp_path / "baselines") == whole
    assert (tmp_path / "resumed.json").read_bytes() == (tmp_path / "whole.json").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_whenever_an_alarm_rings(
    history: History, whole: Mapping[str, bytes], tmp_path: Path, workers: int
) -> None:
    # It may ring before the sweep begins or never: what follows must come out the same.
    chance = random.Random(workers)
    for _ in range(3):
        result = history("--workers", workers, moment="timer", number=chance.uniform(0.5, 3))
        assert result.returncode in {0, -signal.SIGALRM}, result.stderr

    assert history("--workers", workers).returncode == 0
    assert files(tmp_path / "baselines") == whole


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_interrupted_by_its_user(
    history: History, whole: Mapping[str, bytes], tmp_path: Path, workers: int
) -> None:
    result = history("--workers", workers, moment="interrupted", number=2)

    assert result.returncode == INTERRUPTED, result.stderr
    assert "interrupted after" in result.stderr
    assert "stored in baselines, and the same command goes on from there" in result.stderr
    assert "Traceback" not in result.stderr
    assert stored(tmp_path / "baselines") >= 2
    assert result.stdout == ""

    assert history("--workers", workers).returncode == 0
    assert files(tmp_path / "baselines") == whole


@pytest.mark.slow
def test_killed_in_a_probe(
    history: History, releases: Releases, whole: Mapping[str, bytes], tmp_path: Path
) -> None:
    for probe in (1, 4):
        releases.signal_parent_of(len(releases.probes()) + probe, signal.SIGKILL)

        assert history().returncode == -signal.SIGKILL

    assert stored(tmp_path / "baselines") == 1
    assert history().returncode == 0
    assert files(tmp_path / "baselines") == whole


@pytest.mark.slow
def test_worker_that_dies_is_told(
    history: History, releases: Releases, whole: Mapping[str, bytes], tmp_path: Path
) -> None:
    releases.signal_parent_of(5, signal.SIGKILL)

    result = history("--workers", 2)

    assert result.returncode == COULD_NOT_MEASURE
    assert "a measuring process died while measuring small-fp32-" in result.stderr
    assert "the same command goes on from there" in result.stderr
    assert "Traceback" not in result.stderr
    assert stored(tmp_path / "baselines") >= 1

    assert history("--workers", 2).returncode == 0
    assert files(tmp_path / "baselines") == whole
