from __future__ import annotations

from pathlib import Path

import pytest

from ncnn_peakmem.control_groups import MemoryGroup, memory_groups

V1, V2 = "sys/fs/cgroup/memory", "sys/fs/cgroup"


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


@pytest.mark.parametrize("controllers", ["memory", "cpu,memory", "memory,hugetlb"])
def test_version_1_may_share_its_hierarchy(tmp_path: Path, controllers: str) -> None:
    write(tmp_path, "proc/self/cgroup", f"5:cpuacct:/x\n4:{controllers}:/x\n")
    write(tmp_path, f"{V1}/x/memory.limit_in_bytes", "1000\n")
    write(tmp_path, f"{V1}/x/memory.usage_in_bytes", "300\n")
    write(tmp_path, f"{V1}/x/memory.stat", "inactive_file 5\ntotal_inactive_file 100\n")

    assert list(memory_groups(tmp_path)) == [MemoryGroup(1000, 200)]


def test_groups_above_limit_as_well_up_to_the_first(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/cgroup", "0::/a/b\n")
    write(tmp_path, f"{V2}/a/b/memory.max", "max\n")
    write(tmp_path, f"{V2}/a/memory.max", "1000\n")
    write(tmp_path, f"{V2}/memory.max", "2000\n")
    write(tmp_path, f"{V2}/memory.current", "1500\n")
    write(tmp_path, "sys/fs/memory.max", "1\n")

    assert list(memory_groups(tmp_path)) == [MemoryGroup(1000, None), MemoryGroup(2000, 1500)]


@pytest.mark.parametrize("group", ["", "nonsense", "3:cpu:/job\n", "0:memoryless:/job\n"])
def test_process_in_no_group_of_memory_has_no_limit(tmp_path: Path, group: str) -> None:
    write(tmp_path, "proc/self/cgroup", group)
    write(tmp_path, f"{V2}/job/memory.max", "4096\n")
    write(tmp_path, f"{V1}/job/memory.limit_in_bytes", "4096\n")

    assert list(memory_groups(tmp_path)) == []


def test_more_to_drop_than_is_used_is_nothing_used(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/cgroup", "0::/\n")
    write(tmp_path, f"{V2}/memory.max", "1000\n")
    write(tmp_path, f"{V2}/memory.current", "10\n")
    write(tmp_path, f"{V2}/memory.stat", "inactive_file 20\n")

    assert list(memory_groups(tmp_path)) == [MemoryGroup(1000, 0)]
