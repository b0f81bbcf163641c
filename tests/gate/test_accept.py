"""What `--peakmem-update` takes for a baseline, and what it does not."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from errno import EAGAIN
from pathlib import Path

import pytest

from ncnn_peakmem import catalog, machine, runtimes
from ncnn_peakmem.baselines import BaselineStore
from ncnn_peakmem.conversion import Cache
from ncnn_peakmem.gate import Gate
from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.probe import Conditions, process_status
from ncnn_peakmem.run import Run
from tests.models_file import models_file

Opened = Callable[..., Gate]


@pytest.fixture
def opened(tmp_path: Path, small_param: Path) -> Opened:
    """A gate without baselines, on the small network or on one that is still to be made."""
    assert small_param.parent == tmp_path
    given = models_file({"one": "{networks: all, axes: []}"})

    def gate(text: str = given, cache: Path = tmp_path / "cache") -> Gate:
        (tmp_path / "models.yaml").write_text(text)
        run = Run(
            folder=tmp_path / "run",
            runtime=runtimes.installed(),
            machine=machine.detect(),
            gauges=frozenset({Gauge.PAGES}),
            conditions=Conditions(),
            cache=Cache(cache),
        )
        return Gate(run, catalog.load(tmp_path / "models.yaml"), BaselineStore(tmp_path / "baselines"))

    return gate


def assert_refused(gate: Gate, told: str) -> None:
    (case,) = gate.catalog.cases("one")
    # The second time it is read from the run's folder, as another process of the run reads it.
    for _ in range(2):
        trouble = gate.accept(case)
        assert told in trouble
        assert "not accepted, as it is the machine's doing" in trouble
    assert not gate.accepted().cases


def test_child_that_the_machine_does_not_let_be(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise BlockingIOError(EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refused)

    assert_refused(opened(), "the child could not be started: ")


def test_memory_that_cannot_be_read(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden(*_: object, **__: object) -> None:
        raise process_status.NotTold("/proc is not mounted")

    monkeypatch.setattr(process_status, "read_status", hidden)

    assert_refused(opened(), "/proc is not mounted")


def test_cache_that_cannot_be_written(opened: Opened, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    text = models_file({"one": "{networks: all, axes: []}"}).replace(
        "param: small.param", "topology: resnet18"
    )

    assert_refused(opened(text, cache=tmp_path / "file" / "cache"), "using the cache")


def test_failure_of_the_case_itself(opened: Opened, small_param: Path) -> None:
    small_param.write_text(small_param.read_text().replace("Convolution ", "Convolutiom ", 1))
    gate = opened()
    (case,) = gate.catalog.cases("one")

    assert gate.accept(case) == ""
    assert not gate.accepted().cases[case.id].outcome.ok
    gate.store.update(gate.accepted())
    (file,) = gate.store.folder.rglob("*.json")
    assert "hindered" not in file.read_text()
