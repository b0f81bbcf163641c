"""`ncnn-peakmem doctor` on this machine, on one that denies a control, and where nothing can be measured."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ncnn_peakmem import machine

Program = Callable[..., subprocess.CompletedProcess[str]]

USAGE, COULD_NOT_MEASURE = 2, 3

# Runs a command under a seccomp filter that answers personality(2) with EPERM, as Docker's own does.
DENYING = """
import ctypes, os, struct, sys
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
number = {{"x86_64": 135, "aarch64": 92}}[os.uname().machine]
rules = [(LOAD, 0, 0, 0), (EQUAL, 0, 1, number), (RETURN, 0, 0, 0x00050001), (RETURN, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(rules), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0, "no_new_privs"
assert libc.prctl(22, 2, program, 0, 0) == 0, ctypes.get_errno()
from ncnn_peakmem.cli import main
main({arguments!r})
"""


def findings(document: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {finding["name"]: finding for finding in document["findings"]}


def test_this_machine_is_examined(ncnn_peakmem: Program, tmp_path: Path) -> None:
    result = ncnn_peakmem("doctor", "--repeats", 2, "--json", "doctor.json")

    told = json.loads((tmp_path / "doctor.json").read_text())
    assert result.returncode == (0 if told["trusted"] else 1), result.stderr
    assert told["machine_class"] == machine.detect().id
    assert told["machine_class"] in result.stdout
    assert findings(told)["memray"]["state"] == "ok"
    assert told["tolerances"] == "those that ncnn-peakmem comes with"
    seen = {(one["gauge"], one["phase"]): one["seen"] for one in told["resolutions"]}
    assert seen["heap", "load_model"] == seen["heap", "steady"] == 512
    heap = [one for one in told["spreads"] if one["gauge"] == "heap" and one["threads"] == 1]
    assert [(one["metric"], one["highest"] - one["lowest"]) for one in heap] == [("peak", 0), ("live", 0)]
    assert {one["threads"] for one in told["spreads"]} == set(
        range(1, min(2, len(os.sched_getaffinity(0))) + 1)
    )
    assert all(cost["ratio"] > 0 for cost in told["costs"])
    assert [cost["gauge"] for cost in told["costs"]] == ["pages", "heap"]
    assert "heap: a regression of 512 B is seen" in result.stdout
    assert list(tmp_path.iterdir()) == [tmp_path / "doctor.json"]


@pytest.mark.skipif(platform.machine() not in {"x86_64", "aarch64"}, reason="the filter is not made for it")
@pytest.mark.skipif(
    Path("/proc/sys/kernel/randomize_va_space").read_text() == "0\n", reason="the kernel randomises nothing"
)
def test_denied_control_is_told_with_its_cause_and_remedy(tmp_path: Path) -> None:
    script = DENYING.format(arguments=["doctor", "--repeats", "2", "--json", "-"])

    result = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )

    assert result.returncode == 1, result.stderr
    told = json.loads(result.stdout)
    aslr = findings(told)["aslr"]
    assert aslr["state"] == "degraded"
    assert "personality(2) is refused (EPERM): a seccomp filter stands before it" in aslr["found"]
    assert "seccomp=unconfined" in aslr["advice"]
    assert not told["trusted"]
    assert findings(told)["tunables"]["state"] == "ok"
    assert {one["state"] for one in told["resolutions"] if one["gauge"] == "heap"} == {"ok"}


def test_ncnn_that_loads_nothing_is_told_in_a_few_lines(ncnn_peakmem: Program, tmp_path: Path) -> None:
    package = tmp_path / "fake" / "ncnn"
    package.mkdir(parents=True)
    (package / "ncnn.py").write_text("__version__ = '1.0.20990101'\nclass Net: pass\n")

    result = ncnn_peakmem("doctor", "--ncnn", "./fake")

    assert result.returncode == COULD_NOT_MEASURE
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) <= 5
    assert "heap: failed in load_param" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--ncnn", "banana"], COULD_NOT_MEASURE, "'banana' is no ncnn runtime"),
        (["--repeats", "1"], USAGE, "2<=x<=1000"),
        (["--json", "nowhere/doctor.json"], USAGE, "there is no such folder"),
        (["--models", "nowhere.yaml"], USAGE, "nowhere.yaml"),
    ],
)
def test_mistake_is_told_before_anything_is_measured(
    ncnn_peakmem: Program, arguments: list[str], code: int, told: str
) -> None:
    result = ncnn_peakmem("doctor", *arguments)

    assert result.returncode == code, result.stderr
    assert told in result.stderr
    assert "Traceback" not in result.stderr


def test_models_file_of_another_project_is_no_obstacle(ncnn_peakmem: Program, tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text("models: [resnet]\n")

    result = ncnn_peakmem("doctor", "--ncnn", "banana")

    assert result.returncode == COULD_NOT_MEASURE
    assert "models.yaml cannot be used, so tolerances are the usual ones" in result.stderr
