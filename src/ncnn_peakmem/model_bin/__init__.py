"""ncnn's `.bin`, read and written array by array in the order in which the layers of a `.param` read it."""

from ncnn_peakmem.model_bin.layers import KNOWN, slots
from ncnn_peakmem.model_bin.slot import Kind, Slot
from ncnn_peakmem.model_bin.storage import Storage
from ncnn_peakmem.model_bin.stored import BytesLeft, CutShort, ModelBinError, Stored, UnknownLayer, walk
from ncnn_peakmem.model_bin.writer import Writer

__all__ = [
    "KNOWN",
    "BytesLeft",
    "CutShort",
    "Kind",
    "ModelBinError",
    "Slot",
    "Storage",
    "Stored",
    "UnknownLayer",
    "Writer",
    "slots",
    "walk",
]
