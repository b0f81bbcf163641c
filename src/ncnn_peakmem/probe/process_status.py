"""What the kernel tells of another process: `/proc/<pid>/status` and its neighbours."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

ADDR_NO_RANDOMIZE = 0x0040000
"""The personality flag that turns address space randomisation off (`personality(2)`)."""

_FIELD = re.compile(rb"^(PPid|VmPeak|VmSize|VmHWM|VmRSS|RssAnon|THP_enabled):\s+(\d+)", re.MULTILINE)

HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
"""Where the kernel tells whether any process at all gets huge pages: the word in brackets holds."""

_SIZES = frozenset({b"VmPeak", b"VmSize", b"VmHWM", b"VmRSS", b"RssAnon"})


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """Sizes in bytes of a process that waits."""

    vm_peak: int
    vm_size: int
    vm_hwm: int
    vm_rss: int
    rss_anon: int
    thp_enabled: bool


class NotTold(Exception):
    """The kernel keeps from us what it knows of a process."""


def read_status(pid: int, *, parent: int | None = None) -> ProcessStatus:
    """The process's status now.

    `ProcessLookupError` where it is gone or already a zombie, `NotTold` where `/proc` does not show it,
    leaves out what is needed, or shows one that is no child of `parent`.
    """
    try:
        text = Path(f"/proc/{pid}/status").read_bytes()
    except ProcessLookupError:
        raise
    except OSError as error:
        raise NotTold(f"the memory of a process cannot be read here ({error}): is /proc mounted?") from error
    fields = {name: int(value) for name, value in _FIELD.findall(text)}
    if parent is not None and fields.get(b"PPid") != parent:
        raise NotTold("/proc shows other processes than ours (another PID namespace's): mount it anew")
    if not fields.keys() & _SIZES:
        raise ProcessLookupError(pid)
    if missing := _SIZES - fields.keys():
        names = ", ".join(sorted(name.decode() for name in missing))
        raise NotTold(f"/proc/PID/status does not tell {names} here: `heap` is the gauge to use")
    return ProcessStatus(
        vm_peak=fields[b"VmPeak"] * 1024,
        vm_size=fields[b"VmSize"] * 1024,
        vm_hwm=fields[b"VmHWM"] * 1024,
        vm_rss=fields[b"VmRSS"] * 1024,
        rss_anon=fields[b"RssAnon"] * 1024,
        # The process's own flag says nothing of the kernel's. Kernels before 5.0 do not tell; they are taken
        # at the worst.
        thp_enabled=bool(fields.get(b"THP_enabled", 1)) and "[never]" not in _told(HUGE_PAGES),
    )


def reset_vm_hwm(pid: int) -> bool:
    """Set the resident high-water mark to what is resident now; False where the kernel does not let us."""
    try:
        Path(f"/proc/{pid}/clear_refs").write_bytes(b"5")
    except OSError:
        return False
    return True


def randomised(pid: int) -> bool:
    """Whether the process's address space is laid out at random; True where nothing tells."""
    kernel_wide = _told(Path("/proc/sys/kernel/randomize_va_space"))
    personality = int(_told(Path(f"/proc/{pid}/personality")) or "0", 16)
    return kernel_wide != "0" and not personality & ADDR_NO_RANDOMIZE


def _told(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def cpus(pid: int) -> set[int]:
    """The CPUs that a process may run on; none where the kernel does not tell."""
    try:
        return os.sched_getaffinity(pid)
    except OSError:
        return set()


def out_of_memory_kills() -> int:
    """How many processes the kernel has killed for want of memory so far; 0 where it does not tell."""
    try:
        match = re.search(r"^oom_kill (\d+)$", Path("/proc/vmstat").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(match.group(1)) if match else 0
