from __future__ import annotations

import pytest

from ncnn_peakmem.reliability.surroundings import Surroundings
from ncnn_peakmem.reliability.witness import BLOCK_BYTES, BLOCKS, Witness


@pytest.fixture
def witness() -> Witness:
    """A child under all controls."""
    return Witness(
        randomised=False,
        personality_error=0,
        thp_enabled=False,
        thp_error=0,
        pinned=True,
        returned_bytes=(BLOCKS - 1) * (BLOCK_BYTES + 4096),
        hwm_left_bytes=4096,
        uncompiled=(),
        environment=("GLIBC_TUNABLES", "LC_CTYPE", "OMP_NUM_THREADS"),
        folder_characters=26,
    )


@pytest.fixture
def surroundings() -> Surroundings:
    """A machine of one's own."""
    return Surroundings(
        memory_limits={},
        available_bytes=8 << 30,
        cpus=2,
        load=0.5,
        user=1000,
        seccomp=False,
        cpuinfo_told=True,
        cache_told=True,
        topology_told=True,
    )
