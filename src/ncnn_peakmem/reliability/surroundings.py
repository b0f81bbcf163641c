"""What this process finds around it: limits, CPUs, rights, and what the kernel tells of the hardware."""

from __future__ import annotations

import os
import re
import resource
from dataclasses import dataclass
from pathlib import Path

import psutil

from ncnn_peakmem.control_groups import memory_groups


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The machine as far as it is given to this process.

    `memory_limits` are in bytes, by who sets them. `seccomp` is whether a filter stands before system calls.
    """

    memory_limits: dict[str, int]
    available_bytes: int
    cpus: int
    load: float
    user: int
    seccomp: bool
    cpuinfo_told: bool
    cache_told: bool
    topology_told: bool


def look(root: Path = Path("/")) -> Surroundings:
    """Look around, in `/proc` and `/sys` under `root`."""
    cpu = root / "sys/devices/system/cpu/cpu0"
    levels = [index for index in cpu.glob("cache/index*") if _text(index / "level").strip() == "2"]
    return Surroundings(
        memory_limits=_memory_limits(root),
        available_bytes=psutil.virtual_memory().available,
        cpus=len(os.sched_getaffinity(0)),
        load=os.getloadavg()[0],
        user=os.geteuid(),
        seccomp="Seccomp:\t2" in _text(root / "proc/self/status"),
        cpuinfo_told=bool(re.search(r"^(?:flags|Features)\s*:", _text(root / "proc/cpuinfo"), re.MULTILINE)),
        cache_told=any(_text(index / "size").strip() for index in levels),
        topology_told=bool(_text(cpu / "topology/thread_siblings_list").strip()),
    )


def _memory_limits(root: Path) -> dict[str, int]:
    """The limits that are set; a cgroup has those of its parents as well."""
    limits: dict[str, int] = {}
    process_limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if process_limit != resource.RLIM_INFINITY:
        limits["ulimit -v"] = process_limit
    groups = [group.limit_bytes for group in memory_groups(root)]
    if groups:
        limits["cgroup"] = min(groups)
    return limits


def _text(path: Path) -> str:
    """The file's text, empty where it is not to be had."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
