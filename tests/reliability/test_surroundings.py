"""What is found under `/proc` and `/sys`, of machines made up of files."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from ncnn_peakmem import machine
from ncnn_peakmem.reliability.machine_facts import machine_facts
from ncnn_peakmem.reliability.surroundings import look


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_nothing_is_told_where_there_is_nothing(tmp_path: Path) -> None:
    around = look(tmp_path)

    assert not any((around.cpuinfo_told, around.cache_told, around.topology_told, around.seccomp))
    assert around.cpus >= 1


def test_level_2_cache_counts_and_no_other(tmp_path: Path) -> None:
    cache = "sys/devices/system/cpu/cpu0/cache"
    write(tmp_path, f"{cache}/index0/level", "1\n")
    write(tmp_path, f"{cache}/index0/size", "32K\n")
    assert not look(tmp_path).cache_told

    write(tmp_path, f"{cache}/index2/level", "2\n")
    assert not look(tmp_path).cache_told

    write(tmp_path, f"{cache}/index2/size", "1024K\n")
    assert look(tmp_path).cache_told


@pytest.mark.parametrize(
    ("group", "files", "limit"),
    [
        ("0::/job\n", {"job/memory.max": "max\n"}, None),
        ("0::/job\n", {"job/memory.max": "1048576\n"}, 1048576),
        ("0::/a/b\n", {"a/memory.max": "4096\n", "a/b/memory.max": "8192\n"}, 4096),
        ("0::/a/b\n", {"a/memory.max": "8192\n", "a/b/memory.max": "4096\n"}, 4096),
        ("4:memory:/job\n", {"memory/job/memory.limit_in_bytes": "65536\n"}, 65536),
        ("4:memory:/job\n", {"memory/job/memory.limit_in_bytes": "9223372036854771712\n"}, None),
        ("4:cpu,memory:/x\n", {"memory/x/memory.limit_in_bytes": "65536\n"}, 65536),
        ("3:cpu:/job\n", {"job/memory.max": "4096\n"}, None),
    ],
)
def test_limit_of_a_cgroup(tmp_path: Path, group: str, files: dict[str, str], limit: int | None) -> None:
    write(tmp_path, "proc/self/cgroup", group)
    for name, text in files.items():
        write(tmp_path, f"sys/fs/cgroup/{name}", text)

    assert look(tmp_path).memory_limits.get("cgroup") == limit


def test_limit_of_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1 << 30, resource.RLIM_INFINITY))

    assert look(tmp_path).memory_limits == {"ulimit -v": 1 << 30}


def test_filter_is_told_by_the_kernel(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/status", "Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n")

    assert look(tmp_path).seccomp


def test_each_part_of_the_machine_class_has_a_source(tmp_path: Path) -> None:
    here = machine.detect()
    told, guessed = machine_facts(here, look()), machine_facts(here, look(tmp_path))

    assert "-".join(fact.value for fact in told) == here.id
    changed = {fact.part for fact, other in zip(told, guessed, strict=True) if fact.source != other.source}
    assert changed <= {"instruction sets", "level-2 cache", "physical cores"}
    assert all("not tell" in fact.source for fact in guessed if fact.part in changed)
    assert changed
