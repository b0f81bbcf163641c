from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ncnn_peakmem.anatomy.part import Moment, Split
from ncnn_peakmem.forecast import Basis, Forecast, Room, admits, room
from ncnn_peakmem.measurement import Phase

MIB = 1 << 20


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


MEMORY = {"proc/meminfo": "MemTotal: 4096000 kB\nMemAvailable:   1024000 kB\n"}
ROOT, GROUP = "sys/fs/cgroup/", "sys/fs/cgroup/build/job/"


def test_what_the_kernel_has(tmp_path: Path) -> None:
    assert room(written(tmp_path, MEMORY)) == Room(1_024_000 * 1024, "available memory")


def test_nothing_is_known(tmp_path: Path) -> None:
    assert room(tmp_path) is None


@pytest.mark.parametrize(
    "files",
    [
        {GROUP + "memory.max": f"{300 * MIB}\n", GROUP + "memory.current": f"{100 * MIB}\n"},
        {
            GROUP + "memory.max": "max\n",
            GROUP + "memory.current": "5\n",
            "sys/fs/cgroup/build/memory.max": f"{400 * MIB}\n",
            "sys/fs/cgroup/build/memory.current": f"{250 * MIB}\n",
            "sys/fs/cgroup/build/memory.stat": f"anon 7\ninactive_file {50 * MIB}\n",
        },
    ],
    ids=["its own", "one above, with files to drop"],
)
def test_control_group_of_version_2(tmp_path: Path, files: dict[str, str]) -> None:
    found = room(written(tmp_path, MEMORY | {"proc/self/cgroup": "0::/build/job\n"} | files))

    assert found == Room(200 * MIB, "a control group")


def test_control_group_of_version_1(tmp_path: Path) -> None:
    groups = "5:cpu,cpuacct:/\n4:memory:/job\n"
    limits = {
        ROOT + "memory/job/memory.limit_in_bytes": f"{300 * MIB}\n",
        ROOT + "memory/job/memory.usage_in_bytes": f"{100 * MIB}\n",
        ROOT + "memory/memory.limit_in_bytes": "9223372036854771712\n",
        ROOT + "memory/memory.usage_in_bytes": f"{900 * MIB}\n",
    }

    assert room(written(tmp_path, MEMORY | {"proc/self/cgroup": groups} | limits)) == Room(
        200 * MIB, "a control group"
    )


def test_used_up_group_has_nothing_left(tmp_path: Path) -> None:
    files = {GROUP + "memory.max": "100\n", GROUP + "memory.current": "200\n"}
    found = room(written(tmp_path, MEMORY | {"proc/self/cgroup": "0::/build/job\n"} | files))

    assert found == Room(0, "a control group")


def test_limit_of_the_address_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (64 * MIB, -1))

    assert room(written(tmp_path, MEMORY)) == Room(64 * MIB, "the address space")


def forecast_of(peak: int) -> Forecast:
    split = Split(peak, Moment(Phase.FIRST), ())
    return Forecast({}, 12, 0, False, split, split, Basis(1))


def test_refuses_only_what_cannot_fit_by_far() -> None:
    told = forecast_of(1100 * MIB)

    assert admits(told, None) == ""
    assert admits(told, Room(880 * MIB, "available memory")) == ""
    cause = admits(told, Room(500 * MIB, "available memory"))
    assert cause == "forecast 1.1 GiB, but 0.5 GiB are available (available memory)"


def test_doubts_widen_the_margin() -> None:
    doubtful = replace(forecast_of(1000), basis=Basis(1, doubts=("no rule",)))

    assert (forecast_of(1000).lower_bound, doubtful.lower_bound) == (800, 400)
    assert admits(doubtful, Room(400, "")) == ""
    assert admits(doubtful, Room(399, ""))
