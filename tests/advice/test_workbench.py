"""Real probes of a small network: what is kept, what is measured again, and what fails."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ncnn_peakmem import machine, runtimes
from ncnn_peakmem.advice import Rounds, Setup, Workbench, stopwatches, workbench
from ncnn_peakmem.case import Precision
from ncnn_peakmem.conversion import Cache
from ncnn_peakmem.measurement import Caveat, Gauge, Measurement, Outcome, OutcomeKind, Phase, Reading
from ncnn_peakmem.network import Loops, NcnnFiles, Network
from ncnn_peakmem.probe import Conditions, ProbeEnded, Stopwatch
from ncnn_peakmem.run import Run
from ncnn_peakmem.runtimes import Runtime
from tests.advice.landscape import AXES, space

SPACE = space()
DEFAULT = SPACE.case(SPACE.origin)
HEAVY = SPACE.case(Setup(Precision.FP32, 1, (("lightmode", "heavy"),)))


@pytest.fixture
def bench(small_param: Path, tmp_path: Path) -> Workbench:
    return Workbench(
        folder=tmp_path / "advice",
        runtime=runtimes.installed(),
        machine=machine.detect(),
        network=Network("net", NcnnFiles(small_param), loops=Loops(4, 40)),
        axes=AXES,
        gauge=Gauge.HEAP,
        conditions=Conditions(),
        cache=Cache(tmp_path / "cache"),
        rounds=Rounds(starts=2, each=3),
    )


@pytest.fixture
def no_probe(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on nothing may be measured."""

    def refuse(*_: object) -> None:
        raise AssertionError("it was measured again")

    def forbid() -> None:
        monkeypatch.setattr(Run, "_measure", refuse)
        monkeypatch.setattr(workbench, "time_beside", refuse)

    return forbid


def test_pairs_of_inferences_of_two_children(bench: Workbench) -> None:
    timing = bench.time(HEAVY, DEFAULT)

    assert timing.ok
    assert (timing.case, timing.reference) == (HEAVY.id, DEFAULT.id)
    assert len(timing.pairs) == 6
    assert all(nanoseconds > 0 for pair in timing.pairs for nanoseconds in pair)


def test_what_was_measured_is_read_back(bench: Workbench, no_probe: Callable[[], None]) -> None:
    measurement, timing = bench.measure(HEAVY), bench.time(HEAVY, DEFAULT)
    assert measurement.outcome.ok

    no_probe()
    later = replace(bench)
    assert later.measure(HEAVY) == measurement
    assert later.time(HEAVY, DEFAULT) == timing
    with pytest.raises(AssertionError, match="again"):
        later.time(HEAVY, SPACE.case(Setup(Precision.FP32, 2)))


@pytest.mark.parametrize(
    "other",
    [
        lambda bench: replace(bench, gauge=Gauge.PAGES),
        lambda bench: replace(bench, machine=replace(bench.machine, physical_cores=77)),
        lambda bench: replace(bench, network=replace(bench.network, loops=Loops(5, 40))),
        lambda bench: replace(bench, axes={"lightmode": AXES["lightmode"]}),
        lambda bench: replace(bench, conditions=Conditions(step_timeout_seconds=7)),
    ],
)
def test_what_figures_depend_on_names_the_folder(
    bench: Workbench, other: Callable[[Workbench], Workbench]
) -> None:
    assert other(bench).place(Precision.FP32) != bench.place(Precision.FP32)


def test_another_python_and_another_probe_name_another_folder(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = bench.place(Precision.FP32)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "version", "3.99.0 (another)")
        assert bench.place(Precision.FP32) != usual
    monkeypatch.setattr(workbench, "_method", lambda: "another")
    assert bench.place(Precision.FP32) != usual


def test_other_build_other_folder(bench: Workbench, stand_in: Callable[..., Runtime]) -> None:
    assert replace(bench, runtime=stand_in()).place(Precision.FP32) != bench.place(Precision.FP32)


def test_forgetting(bench: Workbench, no_probe: Callable[[], None]) -> None:
    bench.measure(DEFAULT)
    bench.forget(Precision.FP32)

    no_probe()
    with pytest.raises(AssertionError, match="again"):
        bench.measure(DEFAULT)


def test_what_the_machine_hindered_is_tried_again(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    hindered = Outcome(OutcomeKind.FAILED, "no process could be started", hindered=True)
    lost = Measurement(DEFAULT.id, "digest", {Gauge.HEAP: Reading(hindered, {}, caveats=(Caveat.ASLR_ON,))})
    with monkeypatch.context() as patched:
        patched.setattr(Run, "_measure", lambda *_: lost)
        assert bench.measure(DEFAULT) == lost

    assert bench.measure(DEFAULT).outcome.ok


@pytest.mark.parametrize("kind", [OutcomeKind.TIMED_OUT, OutcomeKind.OUT_OF_MEMORY])
def test_what_may_pass_is_tried_again(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, kind: OutcomeKind
) -> None:
    ended = Outcome(kind, "too much")
    with monkeypatch.context() as patched:
        lost = Measurement(DEFAULT.id, "digest", {Gauge.HEAP: Reading(ended, {})})
        patched.setattr(Run, "_measure", lambda *_: lost)
        patched.setattr(workbench, "time_beside", lambda *_: (ended, ()))
        assert bench.measure(DEFAULT).outcome == bench.time(HEAVY, DEFAULT).outcome == ended

    assert bench.measure(DEFAULT).outcome.ok
    assert bench.time(HEAVY, DEFAULT).ok


def test_a_record_that_cannot_be_read_is_measured_anew(bench: Workbench) -> None:
    measurement = bench.measure(DEFAULT)
    record = bench.place(Precision.FP32) / f"{DEFAULT.id}.json"
    whole = record.read_bytes()
    record.write_bytes(whole[: len(whole) // 2])

    assert bench.measure(DEFAULT) == measurement
    assert record.read_bytes() == whole


def test_what_cannot_be_converted_is_an_outcome(bench: Workbench, tmp_path: Path) -> None:
    broken = replace(bench, network=Network("net", NcnnFiles(tmp_path / "none.param")))

    measurement = broken.measure(DEFAULT)

    assert measurement.outcome.kind is OutcomeKind.FAILED
    assert "none.param" in measurement.outcome.cause
    broken.forget(Precision.FP32)


def test_a_child_that_refuses_ends_the_timing(bench: Workbench) -> None:
    unknown = replace(DEFAULT, options=(replace(DEFAULT.options[0], flags={"use_magic": True}),))

    timing = bench.time(unknown, DEFAULT)

    assert timing.outcome.kind is OutcomeKind.UNSUPPORTED
    assert (timing.pairs, timing.ok) == ((), False)


@pytest.mark.parametrize("step", ["__enter__", "load", "infer"])
def test_a_reference_that_ends_is_not_charged_to_the_other(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    crashed = Outcome(OutcomeKind.CRASHED, "SIGSEGV in inference", Phase.STEADY)
    reference = bench._job(DEFAULT)
    genuine = getattr(Stopwatch, step)

    def ends(child: Stopwatch) -> object:
        if child._job.flags == reference.flags:
            raise ProbeEnded(crashed)
        return genuine(child)

    with monkeypatch.context() as patched:
        patched.setattr(Stopwatch, step, ends)
        timing = bench.time(HEAVY, DEFAULT)
        other = bench.time(DEFAULT, HEAVY)

    assert timing.outcome.kind is OutcomeKind.FAILED
    assert timing.outcome.hindered
    assert timing.outcome.cause == (
        "not timed, for what it is compared with ended: crashed in steady: SIGSEGV in inference"
    )
    assert other.outcome == crashed
    assert bench.time(HEAVY, DEFAULT).ok


def test_a_slow_network_has_fewer_turns(bench: Workbench) -> None:
    job = bench._job(DEFAULT)

    _, pairs = stopwatches.time_beside(job, job, Conditions(), Rounds(starts=1, each=9, least=2, seconds=0))

    assert len(pairs) == 2
