"""ncnn's own benchmark networks, read with zero weights as benchncnn reads them.

NCNN_PEAKMEM_BENCHMARK_PARAMS names a folder of them, such as benchmark/models of a clone of ncnn: none of
them is kept here. Each must give figures, or an outcome that tells why it does not.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ncnn_peakmem import param_file, runtimes
from ncnn_peakmem.case import Case, Precision
from ncnn_peakmem.conversion import Cache, ConversionError, convert
from ncnn_peakmem.measurement import Gauge, Metric, OutcomeKind
from ncnn_peakmem.network import Loops, ModelFiles, NcnnFiles, Network, Shape
from ncnn_peakmem.probe import Conditions
from ncnn_peakmem.run import read_gauges

FOLDER = os.environ.get("NCNN_PEAKMEM_BENCHMARK_PARAMS", "")
FILES = sorted(Path(FOLDER).rglob("*.param")) if FOLDER else []


@dataclass(frozen=True)
class Decoder:
    """What a decoder's blobs are made of; its heads are counted as they reach the attention."""

    hidden: int
    rope: int
    heads: int
    key: int
    value: int

    def shape(self, blob: str) -> Shape:
        """One new word after as many as benchncnn_llm has it remember."""
        past = 256
        sizes = {
            "in0": (1, self.hidden),
            "in1": (1, past + 1),
            "in2": (1, self.rope),
            "in3": (1, self.rope),
            "k": (self.heads, past, self.key),
            "v": (self.heads, past, self.value),
        }
        return (1, *sizes[blob.removeprefix("cache_")[0] if blob.startswith("cache_") else blob])


# The files leave these to benchncnn and benchncnn_llm, which tell them in their code.
SHAPES = {"FastestDet": (1, 3, 352, 352), "vision_transformer": (1, 3, 384, 384)}
DECODERS = {
    "hunyuan_0.5b": Decoder(1024, 64, 16, 128, 128),
    "llama3.2_1b": Decoder(2048, 32, 32, 64, 64),
    "minicpm4_0.5b": Decoder(1024, 32, 16, 64, 64),
    "qwen2.5_0.5b": Decoder(896, 32, 14, 64, 64),
    "qwen3_0.6b": Decoder(1024, 64, 16, 128, 128),
    "tinyllama_1.1b": Decoder(2048, 32, 32, 64, 64),
    "youtu_llm_2b": Decoder(2048, 64, 16, 192, 128),
}


def shapes_of(file: Path) -> tuple[Shape, ...]:
    """The input shapes that a file itself does not tell."""
    if file.stem in SHAPES:
        return (SHAPES[file.stem],)
    for name, decoder in DECODERS.items():
        if file.name.startswith(name):
            return tuple(decoder.shape(blob) for blob in param_file.read(file).inputs())
    return ()


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER, reason="NCNN_PEAKMEM_BENCHMARK_PARAMS names no folder")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_benchmark_network_is_measured_or_tells_why_not(
    file: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    network = Network("benchmark", NcnnFiles(file), shapes_of(file), Loops(2, 3))
    case = Case(network.name, Precision.FP32, (), 1)
    conditions = Conditions(cpu=min(os.sched_getaffinity(0)), step_timeout_seconds=120)
    model = converted(network, Cache(tmp_path))
    if isinstance(model, ConversionError):
        record_property("outcome", str(model))
        words = (rf"\b(layer|input) '?{re.escape(name)}\b" for name in names_in(file))
        assert any(re.search(word, str(model)) for word in words)
        return
    readings = read_gauges({Gauge.HEAP}, runtimes.installed(), case, model, network.loops, conditions)
    reading = readings[Gauge.HEAP]
    record_property("outcome", f"{reading.outcome.kind} {reading.outcome.cause}".strip())
    if reading.outcome.ok:
        peak = max(figures[Metric.PEAK] for figures in reading.phases.values())
        record_property("peak", peak)
        assert peak > 0
    else:
        assert reading.outcome.kind is not OutcomeKind.TIMED_OUT
        assert reading.outcome.cause


def converted(network: Network, cache: Cache) -> ModelFiles | ConversionError:
    """Its files, or why there are none; nothing else may come of it."""
    try:
        return convert(network, cache)
    except ConversionError as error:
        return error


def names_in(file: Path) -> set[str]:
    """Every layer and blob that an error may name."""
    layers = param_file.read(file).layers
    return {name for layer in layers for name in (layer.name, *layer.tops)}


@pytest.mark.skipif(not FOLDER, reason="NCNN_PEAKMEM_BENCHMARK_PARAMS names no folder")
def test_the_folder_has_benchmark_networks() -> None:
    assert FILES, f"no .param file below {FOLDER}"
