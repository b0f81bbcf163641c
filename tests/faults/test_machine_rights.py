"""The machine grants little: no rights, no controls, no CPUs, no processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ncnn_peakmem.measurement import Caveat, Gauge, Metric, OutcomeKind, Phase, Reading
from ncnn_peakmem.probe import working_folder
from tests.faults.conftest import Cgroup, Elsewhere, Measure, as_nobody
from tests.faults.seccomp import Denial

_PR_SET_THP_DISABLE = 41


def assert_same_heap(here: Reading, there: Reading) -> None:
    assert there.outcome.ok, there.outcome
    assert there.phases == here.phases


@pytest.mark.fault("an unprivileged user", "measured as ever: no caveat, the same figures")
def test_unprivileged_user(measure: Measure, elsewhere: Elsewhere) -> None:
    there = elsewhere(Gauge.HEAP, Gauge.PAGES, wrapper=as_nobody(), cpu=min(os.sched_getaffinity(0)))

    assert there.caveats == ()
    assert_same_heap(measure(Gauge.HEAP), there.readings[Gauge.HEAP])
    here, pages = measure(Gauge.PAGES), there.readings[Gauge.PAGES]
    for phase in Phase:
        assert pages.gross(phase, Metric.VM_PEAK) == here.gross(phase, Metric.VM_PEAK), phase


@pytest.mark.fault(
    "a seccomp filter that denies personality(2)", "caveat `aslr_on`; the heap is the same to the byte"
)
def test_no_personality(measure: Measure, elsewhere: Elsewhere) -> None:
    there = elsewhere(Gauge.HEAP, Gauge.PAGES, preexec=Denial("personality").apply)

    assert there.caveats == (Caveat.ASLR_ON,)
    assert there.readings[Gauge.PAGES].outcome.ok
    assert_same_heap(measure(Gauge.HEAP), there.readings[Gauge.HEAP])


@pytest.mark.fault(
    "a filter that denies turning off huge pages", "caveat `thp_on`; the heap is the same to the byte"
)
def test_no_control_of_huge_pages(measure: Measure, elsewhere: Elsewhere) -> None:
    there = elsewhere(Gauge.HEAP, Gauge.PAGES, preexec=Denial("prctl", _PR_SET_THP_DISABLE).apply)

    assert there.caveats == (Caveat.THP_ON,)
    assert there.readings[Gauge.PAGES].outcome.ok
    assert_same_heap(measure(Gauge.HEAP), there.readings[Gauge.HEAP])


@pytest.mark.fault("a filter that denies pinning", "caveat `not_pinned`; the heap is the same to the byte")
def test_no_pinning(measure: Measure, elsewhere: Elsewhere) -> None:
    denial = Denial("sched_setaffinity")

    there = elsewhere(Gauge.HEAP, Gauge.PAGES, preexec=denial.apply, cpu=min(os.sched_getaffinity(0)))

    if len(os.sched_getaffinity(0)) > 1:
        assert there.caveats == (Caveat.NOT_PINNED,)
    assert there.readings[Gauge.PAGES].outcome.ok
    assert_same_heap(measure(Gauge.HEAP), there.readings[Gauge.HEAP])


@pytest.mark.fault(
    "a filter, or a kernel, without pidfd_open(2)", "measured as ever, and a crash is named as ever"
)
def test_no_pidfd(elsewhere: Elsewhere) -> None:
    crashing = "7767517\n2 2\nInput data 0 1 data\nConcat output 0 1 output\n"

    there = elsewhere(Gauge.HEAP, Gauge.PAGES, preexec=Denial("pidfd_open").apply, param=crashing)

    for reading in there.readings.values():
        assert (reading.outcome.kind, reading.outcome.phase) == (OutcomeKind.CRASHED, Phase.FIRST)
        assert reading.outcome.cause.startswith("SIGSEGV")


@pytest.mark.fault(
    "a cpuset that leaves one CPU, and not the one asked for", "caveat `not_pinned`; the heap is the same"
)
def test_cpuset_of_one(measure: Measure, elsewhere: Elsewhere, cgroup: Callable[[str], Cgroup]) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("this machine has one CPU")
    first, *_, other = sorted(os.sched_getaffinity(0))
    group = cgroup("cpuset")
    group.set("cpuset.cpus", first)
    group.set("cpuset.mems", 0)

    there = elsewhere(Gauge.HEAP, Gauge.PAGES, preexec=group.enter, cpu=other)

    assert there.caveats == (Caveat.NOT_PINNED,)
    assert_same_heap(measure(Gauge.HEAP), there.readings[Gauge.HEAP])


@pytest.mark.fault("no further process may be started", "`failed` in `import`, with the kernel's reason")
@pytest.mark.parametrize("gauge", [Gauge.HEAP, Gauge.PAGES])
def test_no_process(elsewhere: Elsewhere, cgroup: Callable[[str], Cgroup], gauge: Gauge) -> None:
    group = cgroup("pids")
    group.set("pids.max", 1)

    (reading,) = elsewhere(gauge, preexec=group.enter).readings.values()

    assert (reading.outcome.kind, reading.outcome.phase) == (OutcomeKind.FAILED, Phase.IMPORT)
    assert "could not be started" in reading.outcome.cause
    assert "Resource temporarily unavailable" in reading.outcome.cause


@pytest.mark.fault("no thread may be started beside the child", "a case of several threads has an outcome")
def test_no_thread(elsewhere: Elsewhere, cgroup: Callable[[str], Cgroup]) -> None:
    group = cgroup("pids")
    group.set("pids.max", 2)

    readings = elsewhere(Gauge.PAGES, Gauge.HEAP, preexec=group.enter, threads=4).readings

    for reading in readings.values():
        assert reading.outcome.kind in {OutcomeKind.OK, OutcomeKind.CRASHED, OutcomeKind.FAILED}


@pytest.mark.fault("the interpreter is gone, or may not be run", "`failed` in `import`, with its path")
@pytest.mark.parametrize("gauge", Gauge)
@pytest.mark.parametrize("there", [False, True])
def test_no_interpreter(
    measure: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gauge: Gauge, there: bool
) -> None:
    interpreter = tmp_path / "python"
    if there:
        interpreter.write_text("no program")
    monkeypatch.setattr(sys, "_base_executable", str(interpreter), raising=False)

    outcome = measure(gauge).outcome

    assert (outcome.kind, outcome.phase) == (OutcomeKind.FAILED, Phase.IMPORT)
    assert str(interpreter) in outcome.cause


@pytest.mark.fault("the folder for temporary files is gone", "`failed` in `import`, with its path")
@pytest.mark.parametrize("gauge", Gauge)
def test_no_temporary_folder(
    measure: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gauge: Gauge
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    monkeypatch.setattr(working_folder, "_PLACE", tmp_path / "nowhere")

    outcome = measure(gauge).outcome

    assert (outcome.kind, outcome.phase) == (OutcomeKind.FAILED, Phase.IMPORT)
    assert str(tmp_path / "nowhere") in outcome.cause


@pytest.mark.fault(
    "no file may be opened any more (RLIMIT_NOFILE)", "`failed` in `import`, with the kernel's reason"
)
@pytest.mark.parametrize("gauge", [Gauge.HEAP, Gauge.PAGES])
def test_no_descriptor(elsewhere: Elsewhere, gauge: Gauge) -> None:
    few = "resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9))"
    before = ["import resource, ncnn_peakmem.machine, ncnn_peakmem.probe", few]

    (reading,) = elsewhere(gauge, before=before).readings.values()

    assert (reading.outcome.kind, reading.outcome.phase) == (OutcomeKind.FAILED, Phase.IMPORT)
    assert "Too many open files" in reading.outcome.cause


@pytest.mark.fault(
    "the interpreter that is found lacks its own library", "`crashed` in `import`, with what it says"
)
def test_broken_interpreter(measure: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter = tmp_path / "python"
    interpreter.write_text("#!/bin/sh\necho 'No module named encodings' >&2\nexit 1\n")
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "_base_executable", str(interpreter), raising=False)

    outcome = measure(Gauge.PAGES).outcome

    assert (outcome.kind, outcome.phase) == (OutcomeKind.CRASHED, Phase.IMPORT)
    assert outcome.cause == "exit status 1 in import (No module named encodings)"
