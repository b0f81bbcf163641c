"""How ncnn cuts matrix products into tiles, on x86 since 2023: as large as the second-level cache lets it.

`get_optimal_tile_mnk` of `convolution_im2col_gemm.h`, `gemm_x86.cpp` and `convolution_3x3_winograd.h` in
`src/layer/x86/`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ncnn_peakmem.forecast.computed import era
from ncnn_peakmem.forecast.layout import aligned
from ncnn_peakmem.forecast.setting import Setting

# By the lanes of a vector: how many columns of a product go together, what of the cache is left aside, and by
# how much the depth of a tile falls short of the cache.
_COLUMNS = {16: 16, 8: 12, 4: 4}
_FEW_COLUMNS = 4
_ASIDE = {16: 64, 8: 32, 4: 16}
_SHARE = {16: 16, 8: 8, 4: 8}


@dataclass(frozen=True, slots=True)
class Tiling:
    """A product of M rows, N columns and depth K in tiles: the size of one, and how many along each."""

    m: int
    n: int
    k: int
    rows: int
    columns: int
    depths: int


def gemm(m: int, n: int, k: int, setting: Setting) -> Tiling:
    """A convolution as one matrix product."""
    if setting.release < era.STRAIGHT:
        return _gemm_layer(m, n, k, setting)
    lanes, cache = setting.lanes, setting.machine.l2_bytes_per_core // 4
    tile_k = max(lanes, (cache - _ASIDE[lanes]) // _SHARE[lanes] // lanes * lanes)
    tile_k = _even(tile_k, k, lanes)
    tile_m = max(lanes, aligned(-(-m // -(-m // (4 * lanes))), lanes))
    tile_m = _for_threads(tile_m, m, lanes, setting)
    room = (cache - tile_m * tile_k) // (tile_k if tile_k >= k else tile_m + tile_k)
    return _tiling(m, n, k, tile_m, room, tile_k, setting)


def _gemm_layer(m: int, n: int, k: int, setting: Setting) -> Tiling:
    lanes, cache = setting.lanes, setting.machine.l2_bytes_per_core / 4
    room = int(math.sqrt(cache / 3))
    tile_k = max(lanes, room // lanes * lanes)
    if tile_k >= k:
        tile_k = _even(tile_k, k, lanes)
        room = int(cache / 2 / tile_k)
    else:
        tile_k = _even(tile_k, k, lanes)
    tile_m = _for_threads(max(lanes, room // lanes * lanes), m, lanes, setting)
    return _tiling(m, n, k, tile_m, room, tile_k, setting)


def winograd(m: int, n: int, k: int, setting: Setting) -> Tiling:
    """One of the products of a Winograd convolution, of which there are as many as a tile has points."""
    lanes, cache = setting.lanes, setting.machine.l2_bytes_per_core / 4
    tile_m = max(lanes, int(math.sqrt(cache / 3)) // lanes * lanes)
    tile_m = _for_threads(tile_m, m, lanes, setting)
    tile_k = max(lanes, int(math.sqrt(cache) - tile_m) // lanes * lanes)
    tile_k = _even(tile_k, k, lanes)
    room = int((cache - tile_m * tile_k) / (tile_m + tile_k))
    return _tiling(m, n, k, tile_m, room, tile_k, setting)


def _tiling(m: int, n: int, k: int, tile_m: int, room: int, tile_k: int, setting: Setting) -> Tiling:
    columns = _FEW_COLUMNS if setting.release < era.WIDE_COLUMNS else _COLUMNS[setting.lanes]
    tile_n = _even(max(columns, room // columns * columns), n, columns) if n else 1
    return Tiling(tile_m, tile_n, tile_k, -(-m // tile_m), -(-n // tile_n), -(-k // tile_k))


def _even(tile: int, size: int, unit: int) -> int:
    """The tile made smaller, so that the tiles that are needed are about as large as each other."""
    return min(tile, aligned(-(-size // -(-size // tile)), unit))


def _for_threads(tile: int, size: int, unit: int, setting: Setting) -> int:
    threads = setting.threads
    tile = _even(tile * min(threads, setting.machine.physical_cores), size, unit)
    return min(tile, aligned(max(1, tile // threads), unit)) if threads > 1 else tile
