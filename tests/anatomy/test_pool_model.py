"""The pool's policy: by hand, and against every request that a real network makes."""

from __future__ import annotations

import pytest

from ncnn_peakmem import runtimes
from ncnn_peakmem.anatomy.heap_block import OVERREAD_BYTES
from ncnn_peakmem.anatomy.pool_model import PoolBlock, PoolModel
from ncnn_peakmem.network import ModelFiles
from ncnn_peakmem.probe import Conditions, Job
from ncnn_peakmem.probe.layer_events import Asked, Extracted, GivenBack, Pool, Taken
from ncnn_peakmem.probe.layer_trace import trace


def freed(pool: PoolModel, *sizes: int) -> list[PoolBlock]:
    """Blocks of these sizes, free in this order."""
    blocks = [pool.ask(size, 0) for size in sizes]
    for block in blocks:
        pool.give_back(block)
    return blocks


def test_first_block_that_is_large_enough_is_taken_however_large() -> None:
    pool = PoolModel()
    small, large, exact = freed(pool, 10, 1000, 20)

    assert pool.ask(20, 1) is large
    assert pool.ask(20, 1) is exact
    assert pool.ask(5, 1) is small
    assert pool.held == 1030 + 3 * OVERREAD_BYTES


def test_blocks_come_back_at_the_end() -> None:
    pool = PoolModel()
    freed(pool, 10, 30, 20)

    pool.give_back(pool.ask(1, 0))

    assert pool.free == (30, 20, 10)


def test_smallest_goes_only_when_ten_are_free_and_none_fits() -> None:
    pool = PoolModel()
    freed(pool, *range(101, 110))
    pool.ask(500, 0)
    assert min(pool.free) == 101

    freed(pool, 110)
    before = pool.held
    pool.ask(600, 0)

    assert pool.free == tuple(range(102, 111))
    assert pool.held == before - 101 + 600


def test_block_tells_what_is_idle_of_it() -> None:
    pool = PoolModel()
    (block,) = freed(pool, 100)
    assert block.idle == 100 + OVERREAD_BYTES

    assert pool.ask(30, 7) is block

    assert (block.user, block.taken_for, block.used, block.idle) == (7, 0, 30, 70)


@pytest.mark.parametrize("light", [True, False])
def test_requests_of_a_real_network_reach_malloc_as_they_really_did(
    small_model: ModelFiles, light: bool
) -> None:
    job = Job(runtimes.installed(), small_model, {"lightmode": light})
    traced = trace(job, 4, Conditions())
    assert not traced.trouble
    pools, blocks = {pool: PoolModel() for pool in Pool}, dict[int, tuple[PoolModel, PoolBlock]]()
    really, modelled = [], []
    for stretch in traced.stepped:
        if stretch.loop is None:
            continue
        copying = False
        for event in stretch.events:
            match event:
                case Taken(_, size) if not copying:
                    really.append(size)
                case Extracted():
                    # What follows is the caller's copy of the output, which is of no pool.
                    copying = True
                case Asked(pool, layer, address, size):
                    moves, held = pools[pool].moves, pools[pool].held
                    blocks[address] = (pools[pool], pools[pool].ask(size, layer))
                    if pools[pool].moves > moves:
                        modelled.append(pools[pool].held - held)
                case GivenBack(address=address):
                    owner, block = blocks.pop(address)
                    owner.give_back(block)

    assert len(really) > 3
    assert modelled == really
