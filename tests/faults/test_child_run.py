"""One case of three is faulty: the other two are judged and stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ncnn_peakmem import catalog, machine, runtimes
from ncnn_peakmem.baselines import BaselineStore, VerdictKind
from ncnn_peakmem.conversion import Cache
from ncnn_peakmem.gate import Gate
from ncnn_peakmem.measurement import Gauge, OutcomeKind
from ncnn_peakmem.probe import Conditions
from ncnn_peakmem.reliability import injection
from ncnn_peakmem.run import Run
from tests.faults.conftest import Cgroup, Clock
from tests.models_file import models_file

FAULTY_NET = """
import posix
class Net(real.Net):
    def load_param(self, path):
        with open(path) as param:
            self.faulty = "poisoned" in param.read()
        return super().load_param(path)

    def load_model(self, source):
        if self.faulty:
{act}
        return super().load_model(source)
"""
ORDER = ("before", "faulty", "after")
MIB = 1 << 20
CAREFREE = Conditions()


@pytest.fixture
def gate(tmp_path: Path, small_param: Path) -> Callable[..., Gate]:
    """A gate over three networks on a ncnn that does `act` while it loads the second one."""
    (tmp_path / "poisoned.param").write_text(small_param.read_text().replace("conv1", "poisoned"))
    networks = {"before": "small.param", "faulty": "poisoned.param", "after": "small.param"}
    text = models_file({"pair": "{networks: all, axes: [lightmode]}"}, networks=networks)
    (tmp_path / "models.yaml").write_text(text)

    def make(act: str, conditions: Conditions = CAREFREE) -> Gate:
        body = FAULTY_NET.format(act="\n".join(f"            {line}" for line in act.splitlines()))
        runtime = injection.standing_in(runtimes.installed(), body, tmp_path / "faulty")
        run = Run(
            folder=tmp_path / "runs" / runtime.module.parents[1].name,
            runtime=runtime,
            machine=machine.detect(),
            gauges=frozenset({Gauge.HEAP, Gauge.PAGES}),
            conditions=conditions,
            cache=Cache(tmp_path / "cache"),
        )
        return Gate(run, catalog.load(tmp_path / "models.yaml"), BaselineStore(tmp_path / "baselines"))

    return make


def assert_others_are_judged_and_stored(gate: Callable[..., Gate], faulty: Gate, kind: OutcomeKind) -> None:
    sound = gate("pass")
    cases = {case.network: case for case in faulty.catalog.cases("pair") if "light" in case.id}
    assert [sound.accept(cases[network]) for network in ORDER] == ["", "", ""]
    sound.store.update(sound.accepted())

    verdicts = {network: faulty.judge(cases[network]) for network in ORDER}

    assert {network: verdict.kind for network, verdict in verdicts.items()} == {
        "before": VerdictKind.SAME,
        "faulty": VerdictKind.BROKEN,
        "after": VerdictKind.SAME,
    }
    measured = faulty.run.measured().cases
    assert {name: one.outcome.kind for name, one in measured.items()} == {
        cases["before"].id: OutcomeKind.OK,
        cases["faulty"].id: kind,
        cases["after"].id: OutcomeKind.OK,
    }
    told = [faulty.accept(cases[network]) for network in ORDER]
    assert [bool(one) for one in told] == [False, True, False]
    faulty.store.update(faulty.accepted())
    assert outcomes(faulty) == dict.fromkeys(sorted(case.id for case in cases.values()), OutcomeKind.OK)

    afresh = replace(faulty, store=BaselineStore(faulty.store.folder.with_name("others")))
    assert [afresh.accept(case) for case in cases.values()] == ["", "", ""]
    afresh.store.update(afresh.accepted())
    assert outcomes(afresh) == {name: one.outcome.kind for name, one in measured.items()}


def outcomes(gate: Gate) -> dict[str, OutcomeKind]:
    """What the baseline file says of each case."""
    (version,) = gate.store.versions(gate.run.machine)
    stored = gate.store.load(gate.run.machine, version).cases
    return {name: measurement.outcome.kind for name, measurement in sorted(stored.items())}


@pytest.mark.fault("one case of a run crashes", "`broken`; the others are `same`, and stored")
def test_crash(gate: Callable[..., Gate]) -> None:
    crashing = gate("posix.kill(posix.getpid(), 11)")

    assert_others_are_judged_and_stored(gate, crashing, OutcomeKind.CRASHED)


@pytest.mark.fault(
    "one case of a run meets its limit of memory", "`broken`; the others are `same`, and stored"
)
def test_limit(gate: Callable[..., Gate]) -> None:
    greedy = gate(f"self.kept = bytearray({1024 * MIB})", Conditions(memory_limit_bytes=768 * MIB))

    assert_others_are_judged_and_stored(gate, greedy, OutcomeKind.OUT_OF_MEMORY)


@pytest.mark.fault("one case of a run uses up its cgroup", "`broken`; the others are `same`, and stored")
def test_out_of_memory(gate: Callable[..., Gate], cgroup: Callable[[str], Cgroup]) -> None:
    group = cgroup("memory")
    group.limit_memory(32 * MIB)
    entering = f"with open({str(group.members)!r}, 'w') as members: members.write(str(posix.getpid()))"
    greedy = gate(f"{entering}\nself.kept = b'x' * {64 * MIB}")

    assert_others_are_judged_and_stored(gate, greedy, OutcomeKind.OUT_OF_MEMORY)


@pytest.mark.fault("one case of a run hangs", "`broken`; the others are `same`, and stored")
def test_hang(gate: Callable[..., Gate], clock: Clock) -> None:
    hanging = gate(clock.act)

    assert_others_are_judged_and_stored(gate, hanging, OutcomeKind.TIMED_OUT)


@pytest.mark.fault("one case of a run breaks the protocol", "`broken`; the others are `same`, and stored")
def test_nonsense(gate: Callable[..., Gate]) -> None:
    talking = gate("posix.write(3, b'good morning\\n')")

    assert_others_are_judged_and_stored(gate, talking, OutcomeKind.FAILED)
