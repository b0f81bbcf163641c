"""The option that tells a network's inputs: `--input in0=3,224,224`."""

from __future__ import annotations

import click

from ncnn_peakmem.conversion.quantization.command import input_blob
from ncnn_peakmem.network import InputBlob


class InputOption(click.ParamType[InputBlob]):
    """Reads a blob's name and its shape without batch."""

    name = "blob=shape"

    def convert(
        self, value: str | InputBlob, param: click.Parameter | None, ctx: click.Context | None
    ) -> InputBlob:
        """Give the input, or say how one is written."""
        if isinstance(value, InputBlob):
            return value
        try:
            return input_blob(value)
        except ValueError:
            self.fail(f"{value!r} is not written like in0=3,224,224", param, ctx)
