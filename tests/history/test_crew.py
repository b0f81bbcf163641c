from __future__ import annotations

import concurrent.futures
import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from ncnn_peakmem.case import Case, Precision
from ncnn_peakmem.history import crew
from ncnn_peakmem.history.crew import Assignment, Errand, carry_out
from ncnn_peakmem.measurement import Gauge, OutcomeKind
from ncnn_peakmem.network import Loops, ModelFiles
from ncnn_peakmem.probe import Conditions
from ncnn_peakmem.runtimes import Runtime

if TYPE_CHECKING:
    from tests.history.conftest import Releases

CONDITIONS = Conditions(step_timeout_seconds=60)
SOMEWHERE = Runtime("1.0.20260101", Path("nowhere"))
CPUS = sorted(os.sched_getaffinity(0))


def errand(model: ModelFiles | str, network: str = "small") -> Errand:
    return Errand(Case(network, Precision.FP32, ()), model, Loops(), frozenset({Gauge.PAGES}))


@pytest.mark.skipif(len(CPUS) < 2, reason="there is but one CPU")
def test_workers_are_at_work_side_by_side_each_on_its_own_cpu(
    small_model: ModelFiles, releases: Releases
) -> None:
    # Each fails with the CPU that it is pinned to as the cause, once another one is there too.
    build = releases.resolve(releases.versions[0])
    here = str(releases.signals)
    build.module.write_text(
        "import posix\n"
        f"posix.close(posix.open({here!r} + f'/{{posix.getpid()}}', posix.O_CREAT))\n"
        f"while len(posix.listdir({here!r})) < 2: pass\n"
        "raise OSError(str(posix.sched_getaffinity(0)))\n"
    )

    results = [*carry_out([(build, errand(small_model))] * 2, CONDITIONS, workers=2)]

    causes = [measurement.outcome.cause for _, measurement in results]
    assert sorted(causes) == [f"import: OSError: {{{cpu}}}" for cpu in CPUS[:2]]


def test_one_worker_is_this_process_and_draws_as_it_goes(small_model: ModelFiles, releases: Releases) -> None:
    drawn: list[str] = []

    def assignments() -> Iterator[Assignment]:
        for version in releases.versions:
            drawn.append(version)
            yield releases.resolve(version), errand(small_model)

    for (runtime, _), measurement in carry_out(assignments(), CONDITIONS, workers=1):
        assert drawn[-1] == runtime.version
        assert measurement.outcome.ok
    assert releases.probes() == [*releases.versions]


def test_workers_leave_an_interruption_to_their_parent(small_model: ModelFiles, releases: Releases) -> None:
    releases.signal_parent_of(2, signal.SIGINT)
    assignments = [(releases.resolve(version), errand(small_model)) for version in releases.versions]

    results = [*carry_out(assignments, CONDITIONS, workers=2)]

    assert all(measurement.outcome.ok for _, measurement in results)
    assert len(results) == len(releases.probes()) == 3


def test_what_has_finished_is_handed_out_before_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(running: Iterable[concurrent.futures.Future[object]], **_: object) -> NoReturn:
        concurrent.futures.wait(running)
        raise KeyboardInterrupt

    monkeypatch.setattr(crew, "wait", interrupted)
    results = carry_out([(SOMEWHERE, errand("why", name)) for name in "abc"], CONDITIONS, workers=2)

    handed_out: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        handed_out.extend(measurement.case for _, measurement in results)
    assert sorted(handed_out) == ["a-fp32-t1", "b-fp32-t1"]


def test_errand_without_a_model_fails_with_each_gauge() -> None:
    measurement = errand("the file is torn").run(SOMEWHERE, CONDITIONS)

    assert {*measurement.readings} == {Gauge.PAGES}
    assert measurement.outcome.kind is OutcomeKind.FAILED
    assert measurement.outcome.cause == "conversion: the file is torn"
