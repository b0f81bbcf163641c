"""The load that keeps a machine busy: there for its time and no longer."""

from __future__ import annotations

import signal
import subprocess
import sys

import psutil
import pytest

from ncnn_peakmem.reliability.campaign.load import LoadEnded, load


def test_the_load_is_there_within_its_context_and_gone_after_it() -> None:
    with load() as busy:
        processes = [psutil.Process(process.pid) for process in busy.processes]
        assert len(processes) >= 3
        busy.check()

    assert not any(process.is_running() for process in processes)


def test_a_load_that_ends_by_itself_is_told() -> None:
    with load() as busy:
        busy.processes[-1].kill()
        busy.processes[-1].wait()

        with pytest.raises(LoadEnded, match="ended by itself"):
            busy.check()


def test_the_load_dies_with_a_campaign_that_is_killed() -> None:
    script = (
        "import sys\n"
        "from ncnn_peakmem.reliability.campaign.load import load\n"
        "with load() as busy:\n"
        "    print(*(process.pid for process in busy.processes), flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        processes = [psutil.Process(int(id_)) for id_ in parent.stdout.readline().split()]
        assert len(processes) >= 3
        parent.send_signal(signal.SIGKILL)

    _, left = psutil.wait_procs(processes, timeout=30)
    # Not every container has somebody who reaps orphans.
    alive = [process for process in left if process.status() != psutil.STATUS_ZOMBIE]
    for process in alive:
        process.kill()
    assert alive == []
