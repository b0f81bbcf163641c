"""A size on the command line."""

from __future__ import annotations

from typing import Any

import click

from ncnn_peakmem.catalog import quantity


class SizeParameter(click.ParamType[int]):
    """A size such as 24 MiB, or plain bytes."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The size in bytes."""
        try:
            return quantity.size(int(value) if str(value).isdecimal() else value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
