"""The machine class: all that changes the size of ncnn's allocations for one runtime."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

# ncnn picks its x86 kernels by the first level whose features are all there (src/layer.cpp, src/cpu.cpp).
_X86_LEVELS: tuple[tuple[str, frozenset[str]], ...] = (
    ("avx512", frozenset({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"})),
    ("fma", frozenset({"avx", "fma"})),
    ("avx", frozenset({"avx"})),
)
_X86_EXTRAS = ("avx2", "f16c", "avx_vnni", "avx512_vnni", "avx512_bf16", "avx512_fp16")
_ARM_FEATURES = ("asimd", "asimdhp", "asimddp", "asimdfhm", "bf16", "i8mm", "sve", "sve2")

# What ncnn assumes where sysfs does not tell (src/cpu.cpp, get_cpu_level2_cache_size).
_DEFAULT_L2_KIB = {"avx512": 1024, "fma": 256, "avx": 128, "asimd": 256}

_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class MachineClass:
    """Two machines of one class give one runtime the same peaks, to the byte; `id` names a folder.

    ValueError where a part is no word that a folder's name can have.
    """

    architecture: str
    isa: tuple[str, ...]
    l2_bytes_per_core: int
    physical_cores: int
    page_bytes: int
    libc: str
    system: str = "linux"

    def __post_init__(self) -> None:
        for word in (self.architecture, *self.isa, self.libc, self.system):
            if not _WORD.fullmatch(word):
                raise ValueError(f"{word[:80]!r} is no part of a machine class: letters, digits, _ and . are")

    @property
    def id(self) -> str:
        """Such as `linux-x86_64-avx512.avx2.f16c-l2.1024k-cores.2-page.4k-glibc2.36`."""
        isa = ".".join(self.isa) or "base"
        return "-".join(
            [
                f"{self.system}-{self.architecture}",
                isa,
                f"l2.{self.l2_bytes_per_core // 1024}k",
                f"cores.{self.physical_cores}",
                f"page.{self.page_bytes // 1024}k",
                self.libc,
            ]
        )


def detect(root: Path = Path("/")) -> MachineClass:
    """The class of this machine, read from `/proc/cpuinfo` and sysfs under `root`."""
    architecture = platform.machine()
    isa = _isa(architecture, _cpu_flags(root / "proc/cpuinfo"))
    cpus = root / "sys/devices/system/cpu"
    return MachineClass(
        architecture=architecture,
        isa=isa,
        l2_bytes_per_core=_l2_bytes_per_core(cpus, isa),
        physical_cores=_physical_cores(cpus),
        page_bytes=os.sysconf("SC_PAGE_SIZE"),
        libc=re.sub(r"[^A-Za-z0-9_.]", "_", "".join(platform.libc_ver())) or "libc",
    )


def _cpu_flags(cpuinfo: Path) -> frozenset[str]:
    """The CPU's features as the kernel names them (`flags` on x86, `Features` on ARM)."""
    match = re.search(r"^(?:flags|Features)\s*:(.*)$", _text(cpuinfo), re.MULTILINE)
    return frozenset(match.group(1).split()) if match else frozenset()


def _isa(architecture: str, flags: frozenset[str]) -> tuple[str, ...]:
    if architecture not in {"x86_64", "i686"}:
        return tuple(feature for feature in _ARM_FEATURES if feature in flags)
    level = [name for name, needed in _X86_LEVELS if needed <= flags][:1]
    return (*level, *(feature for feature in _X86_EXTRAS if feature in flags))


def _l2_bytes_per_core(cpus: Path, isa: tuple[str, ...]) -> int:
    """The first core's share of its level-2 cache, rounded down to 4 KiB, as ncnn computes it."""
    for index in sorted((cpus / "cpu0/cache").glob("index*")):
        size = re.fullmatch(r"(\d+)K", _text(index / "size").strip())
        unified = _text(index / "type").strip() in {"Unified", "Data"}
        if _text(index / "level").strip() != "2" or not unified or size is None:
            continue
        sharing = _cpu_list(_text(index / "shared_cpu_list"))
        share = int(size.group(1)) * 1024 // max(1, _count_cores(cpus, sharing))
        return share // 4096 * 4096
    return next((kib for name, kib in _DEFAULT_L2_KIB.items() if name in isa), 64) * 1024


def _physical_cores(cpus: Path) -> int:
    numbers = [int(path.name[3:]) for path in cpus.glob("cpu[0-9]*")]
    return _count_cores(cpus, numbers) if numbers else psutil.cpu_count(logical=False) or 1


def _count_cores(cpus: Path, numbers: Iterable[int]) -> int:
    """How many physical cores a set of logical CPUs makes: hardware threads of one core count once."""
    siblings = {
        _text(cpus / f"cpu{number}/topology/thread_siblings_list").strip() or str(number)
        for number in numbers
    }
    return len(siblings)


def _cpu_list(text: str) -> list[int]:
    """The kernel's list format: `0-3,8` is 0, 1, 2, 3, 8."""
    numbers: list[int] = []
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        numbers.extend(range(int(first), int(last or first) + 1))
    return numbers


def _text(path: Path) -> str:
    """The file's text, empty where a container or a right keeps it from us: the defaults then apply."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
