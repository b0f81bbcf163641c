"""What the kernel tells of another process: `/proc/<pid>/status` and its neighbours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ADDR_NO_RANDOMIZE = 0x0040000
"""The personality flag that turns address space randomisation off (`personality(2)`)."""

_FIELD = re.compile(rb"^(VmPeak|VmSize|VmHWM|VmRSS|RssAnon|THP_enabled):\s+(\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """Sizes in bytes of a process that waits."""

    vm_peak: int
    vm_size: int
    vm_hwm: int
    vm_rss: int
    rss_anon: int
    thp_enabled: bool


def read_status(pid: int) -> ProcessStatus:
    """The process's status now; `ProcessLookupError` where it is gone or already a zombie."""
    try:
        text = Path(f"/proc/{pid}/status").read_bytes()
    except FileNotFoundError:
        raise ProcessLookupError(pid) from None
    fields = {name: int(value) for name, value in _FIELD.findall(text)}
    if b"VmPeak" not in fields:
        raise ProcessLookupError(pid)
    return ProcessStatus(
        vm_peak=fields[b"VmPeak"] * 1024,
        vm_size=fields[b"VmSize"] * 1024,
        vm_hwm=fields[b"VmHWM"] * 1024,
        vm_rss=fields[b"VmRSS"] * 1024,
        rss_anon=fields[b"RssAnon"] * 1024,
        # Kernels before 5.0 do not tell; they are taken at the worst.
        thp_enabled=bool(fields.get(b"THP_enabled", 1)),
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
    try:
        if Path("/proc/sys/kernel/randomize_va_space").read_text() == "0\n":
            return False
        personality = int(Path(f"/proc/{pid}/personality").read_text(), 16)
    except OSError:
        return True
    return not personality & ADDR_NO_RANDOMIZE


def out_of_memory_kills() -> int:
    """How many processes the kernel has killed for want of memory so far; 0 where it does not tell."""
    try:
        match = re.search(r"^oom_kill (\d+)$", Path("/proc/vmstat").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(match.group(1)) if match else 0
