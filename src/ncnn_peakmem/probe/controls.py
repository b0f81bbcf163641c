"""What a child is held to: all that its environment holds, and what it does to itself before it begins."""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Callable
from contextlib import suppress

from ncnn_peakmem.parent_death import die_with_parent
from ncnn_peakmem.probe import process_status

PAGE_GRANULAR_MALLOC = "glibc.malloc.mmap_threshold=4096:glibc.malloc.top_pad=0"
"""Every block of a page or more is mapped and unmapped by itself, so that none hides in free heap."""

# A second thread that allocates would get an arena of its own: 64 MiB of address space, for a moment
# 128 MiB, in which all that is held later would go unseen.
_ONE_ARENA = "glibc.malloc.arena_max=1"
_PR_SET_THP_DISABLE = 41
_PERSONALITY_QUERY = 0xFFFFFFFF

_libc = ctypes.CDLL(None)


def environment(threads: int, tunables: str | None) -> dict[str, str]:
    """All that the child's environment holds: its size moves figures more than most regressions do."""
    held = {"OMP_NUM_THREADS": str(threads)}
    if threads > 1:
        # Threads that spin while they wait take the CPU from those they wait for where it is busy. How they
        # wait moves no figure.
        held["OMP_WAIT_POLICY"] = "passive"
    if tunables is not None:
        held["GLIBC_TUNABLES"] = tunables if threads == 1 else f"{tunables}:{_ONE_ARENA}"
    if "LD_LIBRARY_PATH" in os.environ:
        # Some builds of Python find their own library by it alone.
        held["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    return held


def before_exec(cpu: int | None, memory_limit_bytes: int | None) -> Callable[[], None]:
    """What the child does to itself between fork and exec; `Child.caveats` tells what did not work."""

    def apply() -> None:
        die_with_parent()
        _libc.prctl(_PR_SET_THP_DISABLE, 1, 0, 0, 0)
        _libc.personality(_libc.personality(_PERSONALITY_QUERY) | process_status.ADDR_NO_RANDOMIZE)
        if cpu is not None:
            with suppress(OSError):
                os.sched_setaffinity(0, {cpu})
        # Where memory runs out, it is this process that has to go, and not the session that measures it.
        with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123 - after fork
            score.write("1000")
        if memory_limit_bytes is not None:
            _, most = resource.getrlimit(resource.RLIMIT_AS)
            limit = memory_limit_bytes if most == resource.RLIM_INFINITY else min(memory_limit_bytes, most)
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    return apply
