from __future__ import annotations

import platform
import re
from pathlib import Path

import pytest

from ncnn_peakmem.machine import detect

ZEN5 = "fpu sse2 avx avx2 fma f16c avx512f avx512bw avx512cd avx512dq avx512vl avx512_vnni avx512_bf16"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of two cores with two threads each: 1 MiB of level-2 cache a core, as sysfs tells it."""
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(f"processor : 0\nflags\t\t: {ZEN5}\n")
    for cpu, siblings in enumerate(["0-1", "0-1", "2-3", "2-3"]):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{cpu}"
        write(folder / "topology/thread_siblings_list", siblings)
        for index, (level, kind, size, shared) in enumerate(
            [
                ("1", "Data", "48K", siblings),
                ("2", "Unified", "1024K", siblings),
                ("3", "Unified", "32M", "0-3"),
            ]
        ):
            cache = folder / f"cache/index{index}"
            for name, value in {
                "level": level,
                "type": kind,
                "size": size,
                "shared_cpu_list": shared,
            }.items():
                write(cache / name, value)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def test_features_cache_and_cores_are_read(root: Path) -> None:
    machine = detect(root)

    assert machine.isa == ("avx512", "avx2", "f16c", "avx512_vnni", "avx512_bf16")
    assert machine.l2_bytes_per_core == 1024 * 1024
    assert machine.physical_cores == 2


def test_shared_level_2_cache_is_divided_by_its_physical_cores(root: Path) -> None:
    write(root / "sys/devices/system/cpu/cpu0/cache/index1/shared_cpu_list", "0-3")

    assert detect(root).l2_bytes_per_core == 512 * 1024


def test_missing_level_feature_falls_back_to_the_next_level(root: Path) -> None:
    (root / "proc/cpuinfo").write_text(f"flags : {ZEN5.replace('avx512vl', '')}\n")

    assert detect(root).isa[0] == "fma"


def test_container_without_sysfs_gets_what_ncnn_assumes(root: Path) -> None:
    for path in sorted((root / "sys").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()

    machine = detect(root)

    assert machine.l2_bytes_per_core == 1024 * 1024
    assert machine.physical_cores >= 1


def test_arm_features_are_named_as_the_kernel_names_them(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    (root / "proc/cpuinfo").write_text("Features\t: fp asimd asimdhp asimddp crc32\n")

    assert detect(root).isa == ("asimd", "asimdhp", "asimddp")


def test_id_is_a_folder_name_that_tells_every_field(root: Path) -> None:
    machine = detect(root)

    assert re.fullmatch(r"[\w.-]+", machine.id)
    assert machine.id.startswith(
        "linux-x86_64-avx512.avx2.f16c.avx512_vnni.avx512_bf16-l2.1024k-cores.2-page."
    )


def test_this_machine_is_of_one_class() -> None:
    assert detect() == detect()
