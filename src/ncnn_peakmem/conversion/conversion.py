"""A network's ncnn files at a precision: found in the cache, made, or a user's own where they lie."""

from __future__ import annotations

from packaging.version import Version

from ncnn_peakmem.case import Precision
from ncnn_peakmem.conversion import derivation, ncnn_files, recipe
from ncnn_peakmem.conversion.bench import Bench, Progress
from ncnn_peakmem.conversion.cache import Cache
from ncnn_peakmem.conversion.derivation import Original
from ncnn_peakmem.conversion.error import ConversionError, Stage
from ncnn_peakmem.network import ModelFiles, NcnnFiles, Network

_TIME_LIMIT = 600.0
_INT8_GEMM = Version("1.0.20241226")


def quantizes_gemm(release: Version | None) -> bool:
    """Whether a release reads int8 weights of a general matrix product: older ones take them for floats."""
    return release is not None and release >= _INT8_GEMM


def _silent(message: str) -> None:
    pass


def convert(
    network: Network,
    cache: Cache,
    progress: Progress = _silent,
    *,
    precision: Precision | None = None,
    release: Version | None = None,
    time_limit: float = _TIME_LIMIT,
) -> ModelFiles:
    """Give a network's ncnn files: out of the cache, freshly made into it, or a user's own in place.

    `precision` is how their weights are to be stored, that of the source if it is None. Those of a general
    matrix product become int8 only for a `release` that knows how.

    The simplified ONNX model lies beside converted files as `net.onnx`, the scales beside int8 ones as
    `net.table`. Each stage may run for `time_limit` seconds. Raises ConversionError.
    """
    wanted = precision or network.precision
    bench = Bench(network.name, cache.root, cache.root / "logs", time_limit, progress)
    try:
        if wanted is network.precision:
            return _original(network, cache, bench).model
        original = _fp32(network, wanted, cache, bench)
        gemm = quantizes_gemm(release)
        return derivation.derive(network, original, wanted, cache, bench, gemm=gemm)
    except OSError as error:
        place = error.filename or cache.root
        cause = f"{place}: {error.strerror}" if error.strerror else str(error)
        raise ConversionError(network.name, Stage.CACHE, cause) from error


def _fp32(network: Network, wanted: Precision, cache: Cache, bench: Bench) -> Original:
    derivation.refuse_other_source(network, wanted)
    original = _original(network, cache, bench)
    if isinstance(network.source, NcnnFiles):
        return derivation.from_files(network, original.model, wanted)
    return original


def _original(network: Network, cache: Cache, bench: Bench) -> Original:
    """The files as the network's source gives them."""
    source = network.source
    if isinstance(source, NcnnFiles):
        return Original(ncnn_files.describe(network, source), {})
    key, fill = recipe.key_and_filling(network, source, cache, bench)
    return Original(cache.entry(key, fill, bench.progress).model, {"entry": key.digest})
