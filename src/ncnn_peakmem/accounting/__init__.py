"""What a network takes on paper: the conventions for counting, and devices that it would have to fit."""

from ncnn_peakmem.accounting.conventions import BYTES_PER_ELEMENT, CONVENTIONS, Convention
from ncnn_peakmem.accounting.devices import DEVICES, Device, Fit, fit

__all__ = ["BYTES_PER_ELEMENT", "CONVENTIONS", "DEVICES", "Convention", "Device", "Fit", "fit"]
