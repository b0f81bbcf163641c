"""Memory runs out under the child: by a limit on its address space, or by the kernel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ncnn_peakmem import runtimes
from ncnn_peakmem.measurement import Gauge, Metric, OutcomeKind, Phase
from ncnn_peakmem.probe import Conditions
from ncnn_peakmem.reliability import injection
from tests.faults.conftest import Cgroup, Elsewhere, Faulty, Measure, as_nobody, finished

MIB = 1 << 20


def held(phase: Phase, size_bytes: int, tmp_path: Path) -> runtimes.Runtime:
    return injection.holding(runtimes.installed(), phase, size_bytes, tmp_path / "holding")


@pytest.mark.fault(
    "address space runs out (RLIMIT_AS), in each phase", "`out_of_memory`; earlier phases keep their figures"
)
@pytest.mark.parametrize("gauge", [Gauge.PAGES, Gauge.HEAP])
@pytest.mark.parametrize("phase", Phase)
def test_limit_of_address_space(
    measure: Measure, faulty: Faulty, tmp_path: Path, gauge: Gauge, phase: Phase
) -> None:
    whole = measure(gauge, faulty(phase, "pass")) if gauge is Gauge.PAGES else None
    # The recorder takes a little more than the interpreter alone.
    limit = (whole.peak(Metric.VM_PEAK) or 0) + 16 * MIB if whole else 512 * MIB
    greedy = faulty(phase, f"global kept; kept = bytearray({limit})")

    reading = measure(gauge, greedy, conditions=Conditions(memory_limit_bytes=limit))

    assert (reading.outcome.kind, reading.outcome.phase) == (OutcomeKind.OUT_OF_MEMORY, phase)
    assert "MemoryError" in reading.outcome.cause
    assert list(reading.phases) == finished(phase)


@pytest.mark.fault(
    "ncnn itself gets no memory (RLIMIT_AS), in each phase", "`out_of_memory`, however ncnn takes it"
)
@pytest.mark.parametrize("phase", Phase)
def test_limit_met_by_ncnn(measure: Measure, tmp_path: Path, phase: Phase) -> None:
    control = measure(Gauge.PAGES, held(phase, 0, tmp_path))
    peak = control.peak(Metric.VM_PEAK)
    assert peak is not None
    limit = peak + 16 * MIB

    reading = measure(
        Gauge.PAGES, held(phase, 64 * MIB, tmp_path), conditions=Conditions(memory_limit_bytes=limit)
    )

    assert (reading.outcome.kind, reading.outcome.phase) == (OutcomeKind.OUT_OF_MEMORY, phase)
    assert f"limited to {limit} bytes" in reading.outcome.cause
    assert list(reading.phases) == finished(phase)


@pytest.mark.fault(
    "no address space for the interpreter or the extension (RLIMIT_AS)", "`out_of_memory` in `import`"
)
@pytest.mark.parametrize("gauge", Gauge)
@pytest.mark.parametrize("limit", [4096, 4 * MIB, 12 * MIB, 24 * MIB])
def test_limit_below_the_runtime(measure: Measure, gauge: Gauge, limit: int) -> None:
    outcome = measure(gauge, conditions=Conditions(memory_limit_bytes=limit)).outcome

    assert (outcome.kind, outcome.phase) == (OutcomeKind.OUT_OF_MEMORY, Phase.IMPORT)


@pytest.mark.fault(
    "a cgroup's memory runs out, in each phase", "`out_of_memory`: the kernel's own word for it"
)
def test_kernel_kills_the_child(measure: Measure, faulty: Faulty, cgroup: Callable[[str], Cgroup]) -> None:
    group = cgroup("memory")
    group.limit_memory(32 * MIB)
    for phase in Phase:
        act = (
            f"open({str(group.members)!r}, 'w').write(str(posix.getpid()))\n"
            f"global kept; kept = b'x' * {64 * MIB}"
        )

        reading = measure(Gauge.PAGES, faulty(phase, act))

        assert (reading.outcome.kind, reading.outcome.phase) == (OutcomeKind.OUT_OF_MEMORY, phase)
        assert "killed by the kernel for want of memory" in reading.outcome.cause
        assert list(reading.phases) == finished(phase)


@pytest.mark.fault(
    "a cgroup's memory runs out around session and child, and the session is the larger one",
    "the kernel takes the child: `out_of_memory`, and the session goes on",
)
def test_kernel_spares_the_session(elsewhere: Elsewhere, cgroup: Callable[[str], Cgroup]) -> None:
    group = cgroup("memory")
    group.limit_memory(256 * MIB)

    readings = elsewhere(
        *(Gauge.PAGES, Gauge.HEAP),
        preexec=group.enter,
        before=[f"ballast = b'x' * {128 * MIB}"],
        param="7767517\n2 2\nInput data 0 1 data\nMemoryData output 0 1 output 0=20000 1=20000\n",
    ).readings

    for reading in readings.values():
        assert (reading.outcome.kind, reading.outcome.phase) == (OutcomeKind.OUT_OF_MEMORY, Phase.LOAD_MODEL)
        assert "killed by the kernel" in reading.outcome.cause


@pytest.mark.fault("a limit of memory above the one that the user is held to", "the lower one holds")
def test_limit_above_the_users_own(elsewhere: Elsewhere) -> None:
    held_to = "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40))"

    (reading,) = elsewhere(
        Gauge.PAGES, wrapper=as_nobody(), before=[held_to], memory_limit_bytes=1 << 41
    ).readings.values()

    assert reading.outcome.ok, reading.outcome
