"""What keeps a network from being quantized."""

from __future__ import annotations


class QuantizationError(ValueError):
    """A network, a scale table or calibration data that cannot be used; the message says which and why."""
