"""Why the machine is of its class: each part of it, and where it was read."""

from __future__ import annotations

from dataclasses import dataclass

from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.reliability.surroundings import Surroundings


@dataclass(frozen=True, slots=True)
class MachineFact:
    """One part of the machine class; `value` as its id has it."""

    part: str
    value: str
    source: str


def machine_facts(machine: MachineClass, around: Surroundings) -> tuple[MachineFact, ...]:
    """All parts of a machine class."""
    cpu = "/sys/devices/system/cpu"
    level_2 = f"{cpu}/cpu0/cache" if around.cache_told else f"ncnn's default for it: {cpu} does not tell"
    cores = f"{cpu}/*/topology" if around.topology_told else f"CPUs counted: {cpu} does not tell"
    isa = "/proc/cpuinfo" if around.cpuinfo_told else "nothing: /proc/cpuinfo does not tell"
    return (
        MachineFact("architecture", f"{machine.system}-{machine.architecture}", "uname"),
        MachineFact("instruction sets", ".".join(machine.isa) or "base", isa),
        MachineFact("level-2 cache", f"l2.{machine.l2_bytes_per_core // 1024}k", level_2),
        MachineFact("physical cores", f"cores.{machine.physical_cores}", cores),
        MachineFact("page", f"page.{machine.page_bytes // 1024}k", "sysconf"),
        MachineFact("C library", machine.libc, "what this Python is linked with"),
    )
