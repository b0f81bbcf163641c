"""From a network to the ncnn files that a probe runs: ONNX, through onnxsim and pnnx, into a cache."""

from ncnn_peakmem.conversion.cache import Cache, Entry, Key, verify
from ncnn_peakmem.conversion.error import ConversionError, Stage
from ncnn_peakmem.conversion.recipe import convert, quantizes_gemm

__all__ = ["Cache", "ConversionError", "Entry", "Key", "Stage", "convert", "quantizes_gemm", "verify"]
