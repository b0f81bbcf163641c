"""Measures cases and judges them against what is stored, or against another build measured beside it."""

from ncnn_peakmem.gate.admission import Admission
from ncnn_peakmem.gate.gate import Gate
from ncnn_peakmem.gate.reference import Found, Measured, Nothing, Reference, Stored

__all__ = ["Admission", "Found", "Gate", "Measured", "Nothing", "Reference", "Stored"]
