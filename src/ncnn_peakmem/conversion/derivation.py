"""The files of another precision, made of a network's fp32 files: fp16 by storing, int8 by quantizing."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ncnn_peakmem import bounded_file, model_bin, param_file
from ncnn_peakmem.case import Precision
from ncnn_peakmem.conversion import digest, ncnn_files, quantization
from ncnn_peakmem.conversion.bench import Bench
from ncnn_peakmem.conversion.cache import BIN, ONNX, PARAM, REPORT, TABLE, Cache, Interface, Key, entry_of
from ncnn_peakmem.conversion.error import ConversionError, Stage
from ncnn_peakmem.conversion.quantization import data_files
from ncnn_peakmem.network import InputBlob, ModelFiles, Network

DERIVATION = 1
"""Part of each derived entry's key: raised with a change here that may change the files it makes."""

_HALF = "ncnn_peakmem.conversion.half"
_LOAD_CHECK = "ncnn_peakmem.conversion.load_check"
_KEPT = {PARAM, BIN, TABLE, REPORT}
_MOST_REPORT_BYTES = 16 << 20
_PACKAGES = {Precision.FP16: ("numpy",), Precision.INT8: ("ncnn", "numpy")}


@dataclass(frozen=True, slots=True)
class Original:
    """fp32 files, and what tells them from all others."""

    model: ModelFiles
    identity: Mapping[str, Any]

    @property
    def weights(self) -> Path:
        """The `.bin`; ValueError where there is none, of which nothing can be made."""
        if self.model.bin is None:
            raise ValueError(f"{self.model.param} has no .bin")
        return self.model.bin


def derive(
    network: Network, original: Original, precision: Precision, cache: Cache, bench: Bench, *, gemm: bool
) -> ModelFiles:
    """Give an original's files at another precision, out of the cache; `gemm` makes matrix products int8 too.

    Raises ConversionError, and OSError where the cache cannot be used.
    """
    model = original.model
    gemm = gemm and precision is Precision.INT8 and _multiplies_by_weights(model.param)
    ingredients: dict[str, Any] = {
        "derivation": DERIVATION,
        "precision": precision.value,
        "source": dict(original.identity),
        "versions": {package: metadata.version(package) for package in _PACKAGES[precision]},
    }
    if precision is Precision.INT8:
        ingredients |= {"calibration": _calibration(network, model.inputs), "gemm": gemm}

    def fill(folder: Path, logs: Path) -> Interface:
        desk = replace(bench, folder=folder / "work", logs=logs)
        desk.folder.mkdir()
        if precision is Precision.INT8:
            _quantize(desk, network, model, original.weights, gemm=gemm)
        else:
            _store_halves(desk, model, original.weights)
        desk.python(Stage.CHECK, _LOAD_CHECK, PARAM, BIN, ONNX)
        for file in desk.folder.iterdir():
            if file.name in _KEPT:
                file.rename(folder / file.name)
        shutil.rmtree(desk.folder)
        named = ncnn_files.model_digest(folder / PARAM, folder / BIN, model.inputs)
        return Interface(model.inputs, model.outputs, named)

    entry = cache.entry(Key(network.name, ingredients), fill, bench.progress)
    return replace(entry.model, detections=model.detections)


def from_files(network: Network, model: ModelFiles, precision: Precision) -> Original:
    """A user's own files as an original. ConversionError where they are none."""
    if model.bin is None:
        cause = f"there is no .bin to make {precision} weights of: {model.param} runs with zero weights"
        raise _error(
            network, precision, cause, "give the .bin that belongs to it, or leave the precision out"
        )
    try:
        for _ in model_bin.walk(param_file.read(model.param), model.bin):
            pass
    except model_bin.BytesLeft:
        pass
    except model_bin.ModelBinError as error:
        raise _error(network, precision, str(error), Stage.DESCRIBE.advice) from error
    identity = {
        "param": digest.of_file(model.param),
        "bin": digest.of_file(model.bin),
        "inputs": [[blob.name, list(blob.shape)] for blob in model.inputs],
    }
    return Original(model, identity)


def quantization_report(model: ModelFiles) -> quantization.Report | None:
    """What was quantized of int8 files that are an entry of a cache; None for a user's own."""
    entry = entry_of(model)
    if entry is None or REPORT not in entry.record.files:
        return None
    try:
        return quantization.Report.from_json(bounded_file.read(entry.folder / REPORT, _MOST_REPORT_BYTES))
    except (bounded_file.UnreadableFile, ValidationError):
        return None


def refuse_other_source(network: Network, precision: Precision) -> None:
    """Raise ConversionError unless a network's own weights are fp32."""
    if network.precision is not Precision.FP32:
        cause = f"its weights are {network.precision}, and {precision} is made of fp32 ones only"
        raise _error(network, precision, cause, "give its fp32 files, or measure it as it is")


def _error(network: Network, precision: Precision, cause: str, advice: str) -> ConversionError:
    stage = Stage.HALVE if precision is Precision.FP16 else Stage.QUANTIZE
    return ConversionError(network.name, stage, cause, advice)


def _store_halves(bench: Bench, model: ModelFiles, weights: Path) -> None:
    shutil.copyfile(model.param, bench.folder / PARAM)
    bench.python(Stage.HALVE, _HALF, PARAM, weights.absolute(), BIN)


def _quantize(bench: Bench, network: Network, model: ModelFiles, weights: Path, *, gemm: bool) -> None:
    arguments = quantization.arguments(
        model.param.absolute(),
        weights.absolute(),
        model.inputs,
        network.calibration,
        Path(PARAM),
        Path(BIN),
        gemm=gemm,
        report=Path(REPORT),
        out_table=Path(TABLE),
    )
    bench.python(Stage.QUANTIZE, quantization.MODULE, *arguments)


def _calibration(network: Network, inputs: Sequence[InputBlob]) -> dict[str, Any]:
    """What decides the scales, with contents in place of paths. ConversionError where they are not there."""
    chosen = network.calibration
    try:
        if chosen.table:
            return {"table": digest.of_file(chosen.table)}
        told: dict[str, Any] = {"method": chosen.method.value, "inputs": chosen.inputs, "data": None}
        return told | _data(chosen.data, inputs, chosen.inputs) if chosen.data else told
    except (quantization.QuantizationError, OSError) as error:
        place = chosen.table or chosen.data
        cause = f"{place} cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
        advice = "correct the network's calibration in models.yaml"
        raise ConversionError(network.name, Stage.QUANTIZE, cause, advice) from error


def _data(folder: Path, inputs: Sequence[InputBlob], most: int) -> dict[str, Any]:
    runs = data_files.picked(folder, inputs, most)
    files = [(name, path) for run in runs for name, path in run.items()]
    told: dict[str, Any] = {"data": [[name, path.name, digest.of_file(path)] for name, path in files]}
    if any(path.suffix.lower() in data_files.COMPRESSED for _, path in files):
        told["pillow"] = _installed("pillow")
    return told


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _multiplies_by_weights(param: Path) -> bool:
    layers = param_file.read(param).layers
    return any(layer.type == "Gemm" and layer.integer(5) == 1 and not layer.integer(4) for layer in layers)
