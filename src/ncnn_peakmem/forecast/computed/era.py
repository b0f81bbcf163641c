"""The releases of ncnn from which on a layer takes other memory than before."""

from __future__ import annotations

from packaging.version import Version

TILED = Version("1.0.20230223")
"""Convolutions cut their products into tiles."""

IN_WORKSPACE = Version("1.0.20230517")
"""And take the tiles from the pool for that."""

STRAIGHT = Version("1.0.20240820")
"""A convolution fills its tiles from its input, without im2col and a `Gemm` in between."""

WIDE_COLUMNS = Version("1.0.20260526")
"""Columns of a product go together by as many as fit the registers, not by four."""
