"""Fully connected layers."""

from __future__ import annotations

from ncnn_peakmem.anatomy.loading import Role
from ncnn_peakmem.forecast import layout
from ncnn_peakmem.forecast.recipe import LoadStep, Take
from ncnn_peakmem.forecast.setting import Setting
from ncnn_peakmem.param_file import Layer


def packed(layer: Layer, first: int, setting: Setting) -> tuple[list[LoadStep], bool]:  # noqa: ARG001 - a rule
    """As `convolution.packed`: in half precision, or so that a register's worth of results goes together."""
    if not setting.half_weights and layout.pack((layer.integer(0),), setting) == 1:
        return [], False
    size = layout.array_bytes(layer.integer(2) * (2 if setting.half_weights else 4), setting)
    return [Take(layout.malloced(size), Role.PACKED)], True
