"""A size on the command line."""

from __future__ import annotations

import re
from typing import Any

import click

from ncnn_peakmem.catalog import quantity

_ALLOWED = "whole bytes such as 16384, or a size such as 16 KiB, 4 MiB, 1 GiB, 16 kB, 4 MB, 1 GB"
_POWERS = {"kB": 10**3, "MB": 10**6, "GB": 10**9}
_DECIMAL = re.compile(rf"([0-9]{{1,15}}) *({'|'.join(_POWERS)})")


class SizeParameter(click.ParamType[int]):
    """A size such as 24 MiB, 64MB (of a million bytes each), or plain bytes."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The size in bytes."""
        decimal = _DECIMAL.fullmatch(str(value))
        if decimal is not None:
            return int(decimal[1]) * _POWERS[decimal[2]]
        try:
            return quantity.size(int(value) if str(value).isdecimal() else value)
        except ValueError:
            self.fail(f"found {str(value)[:40]!r}; allowed: {_ALLOWED}", param, ctx)
