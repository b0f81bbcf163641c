"""What a child is held to, and what is told where it could not be."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ncnn_peakmem.measurement import Caveat, Gauge
from ncnn_peakmem.probe import (
    Conditions,
    controls,
    launcher,
    process_gauge,
)
from tests.probe.conftest import NET, Measure, fake

TELLING = """
    def load_model(self, reader):
        print({told}, file=sys.stderr, flush=True)
        return -1
"""


def test_child_is_the_one_that_baselines_were_read_with() -> None:
    digest = hashlib.sha256(Path(launcher.__file__).with_name("child.py").read_bytes()).hexdigest()

    assert digest == "9393f6b0ecba7fcc59a4383e37423e03a1f01c45ba7c633af7b65380e8eb6bb7", (
        "a word more in child.py moves figures of `pages` by a page or several: change it only where all"
        " baselines are measured anew, and this digest with it"
    )


@pytest.mark.parametrize(
    ("gauge", "names"),
    [
        (Gauge.HEAP, ["OMP_NUM_THREADS"]),
        (Gauge.PAGES, ["GLIBC_TUNABLES", "OMP_NUM_THREADS"]),
        (Gauge.DEPLOYED, ["OMP_NUM_THREADS"]),
    ],
)
def test_environment_is_exact(
    measure: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gauge: Gauge, names: list[str]
) -> None:
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    # Python itself adds LC_CTYPE where it starts in the C locale (PEP 538).
    told = TELLING.format(told="sorted(name.decode() for name in posix.environ if name != b'LC_CTYPE')")

    assert measure(gauge, runtime=fake(tmp_path, NET + told)).outcome.cause.endswith(f"({names})")


@pytest.mark.parametrize("gauge", Gauge)
def test_single_thread_is_pinned_to_the_cpu_asked_for(measure: Measure, tmp_path: Path, gauge: Gauge) -> None:
    cpu = max(os.sched_getaffinity(0))
    runtime = fake(tmp_path, NET + TELLING.format(told="posix.sched_getaffinity(0)"))

    assert measure(gauge, runtime=runtime, conditions=Conditions(cpu=cpu)).outcome.cause.endswith(
        f"({{{cpu}}})"
    )


def test_controls_hold_in_the_child(measure: Measure, tmp_path: Path) -> None:
    status = "[line for line in open('/proc/self/status') if line.startswith('THP_enabled')]"
    personality = "open('/proc/self/personality').read().strip()"
    runtime = fake(tmp_path, NET + TELLING.format(told=f"({personality}, {status})"))

    reading = measure(Gauge.PAGES, runtime=runtime)

    assert "('00040000', ['THP_enabled:\\t0\\n'])" in reading.outcome.cause
    assert reading.caveats == ()


def test_controls_that_cannot_be_had_are_caveats(measure: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls, "before_exec", lambda *_: lambda: None)
    monkeypatch.setattr(process_gauge, "reset_vm_hwm", lambda _: False)

    reading = measure(Gauge.PAGES, conditions=Conditions.pinned())

    assert reading.outcome.ok
    assert set(reading.caveats) == {
        Caveat.ASLR_ON,
        Caveat.THP_ON,
        Caveat.NOT_PINNED,
        Caveat.NO_PHASE_HWM,
    }


def test_cpu_that_is_not_to_be_had_is_a_caveat(measure: Measure) -> None:
    reading = measure(Gauge.PAGES, conditions=Conditions(cpu=1023))

    assert reading.outcome.ok
    assert reading.caveats == (Caveat.NOT_PINNED,)
