"""A real child, watched by its parent, by the kernel and by itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ncnn_peakmem import runtimes
from ncnn_peakmem.network import ModelFiles
from ncnn_peakmem.probe import Conditions
from ncnn_peakmem.probe import controls as probe_controls
from ncnn_peakmem.reliability import controls, witness
from ncnn_peakmem.reliability.finding import State
from ncnn_peakmem.reliability.surroundings import Surroundings
from ncnn_peakmem.reliability.witness import BLOCK_BYTES, BLOCKS, Witness


@pytest.fixture
def model(small_model: ModelFiles) -> ModelFiles:
    return small_model


def watched(model: ModelFiles, tmp_path: Path) -> Witness:
    return witness.call(runtimes.installed(), model, Conditions(cpu=min(os.sched_getaffinity(0))), tmp_path)


def test_child_gives_its_pages_back_at_once(model: ModelFiles, tmp_path: Path) -> None:
    seen = watched(model, tmp_path)

    # Weights are taken at the same time.
    assert seen.returned_bytes >= BLOCKS * BLOCK_BYTES * 3 // 4
    assert {"GLIBC_TUNABLES", "OMP_NUM_THREADS"} <= set(seen.environment)
    assert seen.hwm_left_bytes is not None


def test_tunables_that_nobody_obeys_are_seen(
    model: ModelFiles, tmp_path: Path, surroundings: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witness, "PAGE_GRANULAR_MALLOC", "glibc.malloc.no_such_thing=1")

    (finding,) = [
        one for one in controls.findings(watched(model, tmp_path), surroundings) if one.name == "tunables"
    ]

    assert finding.state is State.BROKEN


@pytest.mark.skipif(
    Path("/proc/sys/kernel/randomize_va_space").read_text() == "0\n", reason="the kernel randomises nothing"
)
def test_controls_that_are_not_applied_are_seen(
    model: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe_controls, "before_exec", lambda *_: lambda: None)
    everywhere = Conditions(cpu=1023)

    seen = witness.call(runtimes.installed(), model, everywhere, tmp_path)

    assert (seen.randomised, seen.thp_enabled, seen.pinned) == (True, True, False)


def test_mark_that_may_not_be_reset_is_seen(
    model: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witness, "reset_vm_hwm", lambda _: False)
    assert watched(model, tmp_path).hwm_left_bytes is None

    monkeypatch.setattr(witness, "reset_vm_hwm", lambda _: True)
    stays = watched(model, tmp_path).hwm_left_bytes
    assert stays is not None
    assert stays >= BLOCKS * BLOCK_BYTES // 2


def test_modules_without_compiled_code_are_named(
    model: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witness, "_TELLING", witness._TELLING.replace('spec, "cached"', 'spec, "lacking"'))

    assert "encodings" in watched(model, tmp_path).uncompiled
