"""What is timed does its work, all of it and where it was told to; and rivals take turns."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from benchmarks.cost import lean_script
from ncnn_peakmem import runtimes
from ncnn_peakmem.measurement import Gauge, Outcome, OutcomeKind, Phase, Reading
from ncnn_peakmem.network import InputBlob, ModelFiles
from ncnn_peakmem.probe import Conditions, Job
from ncnn_peakmem.reliability import cost, rival
from ncnn_peakmem.reliability.rival import NotTimed
from ncnn_peakmem.reliability.specimen import SMALL, specimen
from ncnn_peakmem.reliability.turns import in_turn, ratios

CPU = max(os.sched_getaffinity(0))
JOB = Job(
    runtimes.installed(),
    ModelFiles(Path("net.param"), Path("net.bin"), (InputBlob("data", (3, 32, 48)),), ("output",), "small"),
    {"use_fp16_storage": False, "lightmode": True},
)


def test_each_round_begins_with_another_and_the_first_is_not_counted() -> None:
    order: list[str] = []
    ways = {name: lambda name=name: order.append(name) for name in "abc"}

    seconds = in_turn(ways, 3)

    assert "".join(order) == "abcbcacababc"
    assert {name: len(taken) for name, taken in seconds.items()} == {"a": 3, "b": 3, "c": 3}


def test_a_ratio_is_taken_round_by_round() -> None:
    assert ratios([2.0, 9.0], [1.0, 3.0]) == (2.0, 3.0)


@pytest.mark.parametrize(
    ("reading", "told"),
    [
        (Reading(Outcome(OutcomeKind.CRASHED, "SIGSEGV", Phase.FIRST), {}), "crashed in first: SIGSEGV"),
        (Reading(Outcome(OutcomeKind.OK), {}, loops=3), "3 loops in place of 12"),
    ],
)
def test_a_probe_that_did_less_is_not_a_fast_one(
    reading: Reading, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rival, "bare", lambda *_: None)
    monkeypatch.setattr(cost, "probe", lambda *_: reading)

    with pytest.raises(NotTimed, match=re.escape(told)):
        cost.costs((Gauge.HEAP,), JOB, Conditions(), 1)


def test_a_probe_that_did_all_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rival, "bare", lambda *_: None)
    monkeypatch.setattr(cost, "probe", lambda *_: Reading(Outcome(OutcomeKind.OK), {}, loops=cost.LOOPS))

    (found,) = cost.costs((Gauge.HEAP,), JOB, Conditions(), 2)

    assert found.gauge is Gauge.HEAP
    assert found.ratio > 0


def test_a_command_runs_on_the_cpu_that_is_named() -> None:
    rival.run(
        "it", [sys.executable, "-c", f"import os; assert os.sched_getaffinity(0) == {{{CPU}}}"], cpu=CPU
    )


def test_a_command_that_fails_is_told_by_its_last_word() -> None:
    with pytest.raises(NotTimed, match="the script failed: out of luck"):
        rival.run("the script", [sys.executable, "-c", "import sys; print(1); sys.exit('\\nout of luck\\n')"])


def test_a_command_that_is_not_there_is_told() -> None:
    with pytest.raises(NotTimed, match="no-such-command"):
        rival.run("the tool", ["/no-such-command"])


def test_only_a_script_of_one_thread_is_pinned_as_a_probe_is() -> None:
    two = Job(JOB.runtime, JOB.model, {}, threads=2)

    assert rival.cpu_of(JOB, Conditions(cpu=CPU)) == CPU
    assert rival.cpu_of(two, Conditions(cpu=CPU)) is None


def test_the_script_gets_ncnns_order_of_sizes_and_the_options_of_the_case() -> None:
    assert rival.arguments(JOB, 7) == shlex.split(
        "net.param net.bin data output 48,32,3 7 use_fp16_storage=0 lightmode=1 num_threads=1"
    )


@pytest.mark.parametrize("threads", [1, 2])
def test_both_scripts_run_a_network_of_ncnns(tmp_path: Path, threads: int) -> None:
    job = Job(JOB.runtime, specimen(tmp_path, SMALL), {"lightmode": True}, threads)

    rival.bare(job, 2, Conditions(cpu=CPU))
    lean_script.lean(job, 2, Conditions(cpu=CPU))


def test_the_script_sets_an_option_to_its_number(tmp_path: Path) -> None:
    """Two threads are two and not `False`."""
    (tmp_path / "ncnn.py").write_text(
        "class Option: pass\n"
        "class Net:\n"
        "    opt = Option()\n"
        "    def load_param(self, path): raise SystemExit(f'threads {self.opt.num_threads}')\n"
    )
    command = [sys.executable, str(rival.SCRIPT), "param", "bin", "data", "output", "1", "1", "num_threads=2"]

    with pytest.raises(NotTimed, match="threads 2"):
        rival.run("it", command, environment={"PYTHONPATH": str(tmp_path)})
