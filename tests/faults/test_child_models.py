"""Model files that ncnn does not survive, or does not take: real ones, on the real ncnn."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ncnn_peakmem.measurement import Gauge, OutcomeKind, Phase
from ncnn_peakmem.network import ModelFiles
from tests.faults.conftest import Measure

HEAD = "7767517\n2 2\nInput data 0 1 data\n"
CRASHING = {
    "a join of no blobs": "Concat output 0 1 output\n",
    "an operation on no blobs": "BinaryOp output 0 1 output 0=0\n",
    "weights that no blob brings": "Convolution output 1 1 data output 0=16 1=3 6=432 19=1\n",
}
REFUSED = {
    "nothing": "",
    "no magic": "1 2\n",
    "bytes": "\x00\xff\x01" * 999,
    "counts below zero": "7767517\n-5 -5\nInput data 0 1 data\n",
    "counts beyond all reason": "7767517\n2000000000 2000000000\nInput data 0 1 data\n",
    "a blob of its own making": f"{HEAD}ReLU output 1 1 output output\n",
    "a kernel below zero": f"{HEAD}Convolution output 1 1 data output 0=16 1=-3 6=432\n",
    "a list without an end": f"{HEAD}ReLU output 1 1 data output -23300=2000000000,1,2\n",
    "a parameter out of range": f"{HEAD}ReLU output 1 1 data output 5000=1\n",
    "a name of kilobytes": f"{HEAD}{'A' * 5000} output 1 1 data output\n",
}


@pytest.mark.fault(
    "a `.param` that crashes ncnn (layers without their inputs)",
    "`crashed`, by which signal; what was loaded keeps its figures",
)
@pytest.mark.parametrize("gauge", Gauge)
@pytest.mark.parametrize("layer", CRASHING.values(), ids=CRASHING)
def test_param_that_crashes_ncnn(measure: Measure, small_model: ModelFiles, gauge: Gauge, layer: str) -> None:
    small_model.param.write_text(HEAD + layer)

    reading = measure(gauge)

    assert (reading.outcome.kind, reading.outcome.phase) == (OutcomeKind.CRASHED, Phase.FIRST)
    assert reading.outcome.cause.split()[0] in {"SIGSEGV", "SIGFPE", "SIGABRT"}
    assert Phase.LOAD_PARAM in reading.phases


@pytest.mark.fault("a `.param` of garbage, or with sizes beyond all reason", "`failed`, with what ncnn says")
@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_param_that_ncnn_refuses(measure: Measure, small_model: ModelFiles, text: str) -> None:
    small_model.param.write_text(text, encoding="latin-1")

    outcome = measure(Gauge.PAGES).outcome

    assert (outcome.kind, outcome.phase) == (OutcomeKind.FAILED, Phase.LOAD_PARAM)
    assert outcome.cause.startswith("load_param returned -1 (")


@pytest.mark.fault(
    "a `.param` that is cut off, at every line", "`failed` or, where it still is a network, measured"
)
def test_param_that_is_cut_off(measure: Measure, small_model: ModelFiles) -> None:
    lines = small_model.param.read_text().splitlines(keepends=True)

    for count in range(len(lines)):
        small_model.param.write_text("".join(lines[:count]))
        outcome = measure(Gauge.PAGES).outcome
        assert outcome.kind is OutcomeKind.FAILED, (count, outcome)


@pytest.mark.fault(
    "a `.bin` that is empty, cut off, or of garbage",
    "`failed` with what ncnn says, or measured: ncnn does not check weights",
)
@pytest.mark.parametrize("gauge", [Gauge.HEAP, Gauge.PAGES])
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", OutcomeKind.FAILED),
        (bytes(1000), OutcomeKind.FAILED),
        (b"\xd8\xd5\xff\xff" * 100, OutcomeKind.FAILED),
        (bytes(range(256)) * 2000, OutcomeKind.OK),
    ],
    ids=["empty", "cut off", "a tag of no format", "garbage of the right length"],
)
def test_bin(
    measure: Measure,
    small_model: ModelFiles,
    tmp_path: Path,
    gauge: Gauge,
    content: bytes,
    kind: OutcomeKind,
) -> None:
    weights = tmp_path / "small.bin"
    weights.write_bytes(content)

    outcome = measure(gauge, model=dataclasses.replace(small_model, bin=weights)).outcome

    assert outcome.kind is kind
    if kind is OutcomeKind.FAILED:
        assert outcome.phase is Phase.LOAD_MODEL
        assert outcome.cause.startswith("load_model returned -1 (")


@pytest.mark.fault(
    "model files that are gone, or are folders, or may not be read", "`failed`, in the phase that reads them"
)
@pytest.mark.parametrize("missing", ["param", "bin"])
@pytest.mark.parametrize("folder", [False, True])
def test_missing_files(
    measure: Measure, small_model: ModelFiles, tmp_path: Path, missing: str, folder: bool
) -> None:
    path = tmp_path / "elsewhere"
    if folder:
        path.mkdir()
    changed = dataclasses.replace
    model = changed(small_model, param=path) if missing == "param" else changed(small_model, bin=path)

    outcome = measure(Gauge.PAGES, model=model).outcome

    assert outcome.kind is OutcomeKind.FAILED
    assert outcome.phase is (Phase.LOAD_PARAM if missing == "param" else Phase.LOAD_MODEL)
