"""What became of a probe, in words; tests/faults has those that are injected."""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path

import pytest

from ncnn_peakmem.measurement import Gauge, OutcomeKind, Phase
from ncnn_peakmem.network import InputBlob, ModelFiles
from ncnn_peakmem.probe import (
    heap_gauge,
    process_status,
)
from ncnn_peakmem.probe.ending import Ending
from ncnn_peakmem.probe.heap_trace import stretches
from tests.probe.conftest import NET, Measure, fake


def test_recording_that_breaks_off_is_failed(measure: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap_gauge, "stretches", lambda trace: list(stretches(trace))[:3])

    reading = measure(Gauge.HEAP)

    assert reading.outcome.kind is OutcomeKind.FAILED
    assert reading.outcome.cause == "the recording of the heap broke off before prepare_input"
    assert list(reading.phases) == [Phase.IMPORT, Phase.LOAD_PARAM, Phase.LOAD_MODEL]


@pytest.mark.parametrize("gauge", Gauge)
def test_option_that_this_ncnn_lacks_is_unsupported(measure: Measure, gauge: Gauge) -> None:
    reading = measure(gauge, flags={"use_image_storage": True})

    assert reading.outcome.kind is OutcomeKind.UNSUPPORTED
    assert reading.outcome.phase is Phase.LOAD_PARAM
    assert "use_image_storage" in reading.outcome.cause
    assert list(reading.phases) == [Phase.IMPORT]


@pytest.mark.parametrize("gauge", Gauge)
def test_unknown_layer_is_unsupported(measure: Measure, small_model: ModelFiles, gauge: Gauge) -> None:
    text = small_model.param.read_text().replace("Softmax ", "Det ")
    small_model.param.write_text(text)

    reading = measure(gauge)

    assert reading.outcome.kind is OutcomeKind.UNSUPPORTED
    assert reading.outcome.cause == "this ncnn has no layer Det"


@pytest.mark.parametrize("gauge", Gauge)
def test_truncated_bin_is_failed_with_what_ncnn_says(
    measure: Measure, small_model: ModelFiles, tmp_path: Path, gauge: Gauge
) -> None:
    weights = tmp_path / "small.bin"
    weights.write_bytes(bytes(1000))

    reading = measure(gauge, model=dataclasses.replace(small_model, bin=weights))

    assert reading.outcome.kind is OutcomeKind.FAILED
    assert reading.outcome.phase is Phase.LOAD_MODEL
    assert "load_model returned -1 (layer load_model" in reading.outcome.cause
    assert Phase.LOAD_PARAM in reading.phases
    assert Phase.LOAD_MODEL not in reading.phases


def test_unknown_output_is_failed(measure: Measure, small_model: ModelFiles) -> None:
    reading = measure(Gauge.PAGES, model=dataclasses.replace(small_model, outputs=("no_such_blob",)))

    assert reading.outcome.kind is OutcomeKind.FAILED
    assert reading.outcome.phase is Phase.FIRST
    assert "extract no_such_blob returned" in reading.outcome.cause


def test_missing_param_is_failed(measure: Measure, small_model: ModelFiles) -> None:
    small_model.param.unlink()

    assert "fopen" in measure(Gauge.PAGES).outcome.cause


def test_child_that_prints_does_not_disturb_the_wire(measure: Measure, tmp_path: Path) -> None:
    body = NET + "    def load_model(self, reader):\n        print('ok 1', flush=True)\n        return 0\n"

    assert measure(Gauge.PAGES, runtime=fake(tmp_path, body)).outcome.ok


def test_python_exception_is_failed(measure: Measure, tmp_path: Path) -> None:
    body = NET + "    def load_model(self, reader):\n        raise ValueError('two\\nlines')\n"

    reading = measure(Gauge.PAGES, runtime=fake(tmp_path, body))

    assert reading.outcome.kind is OutcomeKind.FAILED
    assert reading.outcome.cause == "load_model: ValueError: two lines"


def test_input_of_the_wrong_rank_is_failed(measure: Measure, small_model: ModelFiles) -> None:
    model = dataclasses.replace(small_model, inputs=(InputBlob("data", (7,)),))

    assert measure(Gauge.PAGES, model=model).outcome.kind in {OutcomeKind.FAILED, OutcomeKind.CRASHED}


def test_empty_output_is_failed(measure: Measure, tmp_path: Path) -> None:
    body = NET.replace("def empty(self): return False", "def empty(self): return True")

    reading = measure(Gauge.PAGES, runtime=fake(tmp_path, body))

    assert reading.outcome.cause == "extract output gave an empty output"


def test_an_empty_list_of_detections_is_ok(measure: Measure, tmp_path: Path, small_model: ModelFiles) -> None:
    body = NET.replace("def empty(self): return False", "def empty(self): return True")
    model = dataclasses.replace(small_model, detections=small_model.outputs)

    assert measure(Gauge.PAGES, runtime=fake(tmp_path, body), model=model).outcome.ok


@pytest.mark.parametrize(
    ("kills", "kind", "cause"),
    [
        ([3, 4], OutcomeKind.OUT_OF_MEMORY, "killed by the kernel for want of memory in load_model"),
        ([3, 3], OutcomeKind.CRASHED, "SIGKILL in load_model"),
    ],
)
def test_sigkill_is_told_by_the_kernels_own_count(
    measure: Measure,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kills: list[int],
    kind: OutcomeKind,
    cause: str,
) -> None:
    body = NET + "    def load_model(self, reader):\n        posix.kill(posix.getpid(), 9)\n"
    counted = iter(kills)
    monkeypatch.setattr(process_status, "out_of_memory_kills", lambda: next(counted))

    outcome = measure(Gauge.PAGES, runtime=fake(tmp_path, body)).outcome

    assert (outcome.kind, outcome.cause) == (kind, cause)


def test_dying_of_a_layer_that_it_does_not_have_is_unsupported() -> None:
    """Older releases print it, go on without the layer, and crash before they can return an error."""
    ending = Ending(Phase.LOAD_PARAM, b"layer RotaryEmbed not exists or registered\n")

    outcome = ending.death("load_param", -signal.SIGSEGV, starved=False)

    assert outcome.kind is OutcomeKind.UNSUPPORTED
    assert outcome.cause == "this ncnn has no layer RotaryEmbed, and dies of it: SIGSEGV in load_param"
    later = dataclasses.replace(ending, phase=Phase.LOAD_MODEL).death(
        "load_model", -signal.SIGSEGV, starved=False
    )
    assert later.kind is OutcomeKind.CRASHED
