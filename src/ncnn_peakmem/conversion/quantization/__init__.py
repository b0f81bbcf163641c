"""Post-training int8: ncnn's own int8 files out of float ones, by scales told from calibration inputs.

Everything that loads ncnn runs in a process of its own: `python -m ncnn_peakmem.conversion.quantization`.
"""

from ncnn_peakmem.conversion.quantization.command import MODULE, arguments
from ncnn_peakmem.conversion.quantization.error import QuantizationError
from ncnn_peakmem.conversion.quantization.report import Report

__all__ = ["MODULE", "QuantizationError", "Report", "arguments"]
