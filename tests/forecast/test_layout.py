from __future__ import annotations

from dataclasses import replace

import pytest
from packaging.version import Version

from ncnn_peakmem.forecast import Setting, layout
from ncnn_peakmem.network import Shape


@pytest.mark.parametrize(
    ("shape", "pack", "size"),
    [
        ((1000,), 1, 4000 + 4),
        ((3, 224, 224), 1, 602_112 + 4),
        # 49 numbers of 4 bytes, begun anew on a multiple of 16 for each channel.
        ((10, 7, 7), 1, 10 * 208 + 4),
        ((16, 7, 7), 16, 16 * 196 + 4),
        ((2, 3, 5, 7), 1, 2 * 432 + 4),
        ((5,), 1, 32 + 4),
        ((3, 5), 1, 64 + 4),
    ],
)
def test_bytes_of_a_blob(shape: Shape, pack: int, size: int, light: Setting) -> None:
    assert layout.blob_bytes(shape, pack, light) == size


def test_vectors_were_not_aligned_before(light: Setting) -> None:
    before = replace(light, release=Version("1.0.20250503"))

    assert layout.blob_bytes((5,), 1, before) == 20 + 4
    assert layout.blob_bytes((10, 7, 7), 1, before) == 10 * 208 + 4


@pytest.mark.parametrize(("channels", "pack"), [(64, 16), (24, 8), (20, 4), (58, 1), (3, 1)])
def test_elements_are_as_wide_as_divides_the_channels(channels: int, pack: int, light: Setting) -> None:
    assert layout.pack((channels, 8, 8), light) == pack


def test_elements_are_no_wider_than_a_register(light: Setting) -> None:
    narrow = replace(light, machine=replace(light.machine, isa=("fma", "avx2")))
    unpacked = replace(light, flags={"use_packing_layout": False})

    assert layout.pack((64, 8, 8), narrow) == 8
    assert layout.pack((64, 8, 8), unpacked) == 1
