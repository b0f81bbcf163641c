"""From a network to the ncnn files that a probe runs: ONNX, through onnxsim and pnnx, into a cache."""

from ncnn_peakmem.conversion.cache import Cache, Entry, Key, verify
from ncnn_peakmem.conversion.conversion import convert, quantizes_gemm
from ncnn_peakmem.conversion.derivation import quantization_report
from ncnn_peakmem.conversion.error import ConversionError, Stage

__all__ = [
    "Cache",
    "ConversionError",
    "Entry",
    "Key",
    "Stage",
    "convert",
    "quantization_report",
    "quantizes_gemm",
    "verify",
]
