"""What is said of each control and circumstance, from what was seen of a child."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import Any

import pytest

from ncnn_peakmem.reliability import controls
from ncnn_peakmem.reliability.finding import Finding, State
from ncnn_peakmem.reliability.surroundings import Surroundings
from ncnn_peakmem.reliability.witness import Witness


def found(name: str, witness: Witness, surroundings: Surroundings) -> Finding:
    return next(one for one in controls.findings(witness, surroundings) if one.name == name)


def test_all_is_well(witness: Witness, surroundings: Surroundings) -> None:
    findings = controls.findings(witness, surroundings)

    assert {finding.state for finding in findings} == {State.OK}
    assert len({finding.name for finding in findings}) == len(findings)


@pytest.mark.parametrize(
    ("name", "seen", "state", "told"),
    [
        ("aslr", {"randomised": True, "personality_error": errno.EPERM}, State.DEGRADED, "refused (EPERM)"),
        ("aslr", {"randomised": True}, State.DEGRADED, "nothing tells that it is off"),
        ("thp", {"thp_enabled": True, "thp_error": errno.EPERM}, State.DEGRADED, "refused (EPERM)"),
        ("thp", {"thp_enabled": True}, State.DEGRADED, "the kernel does not tell"),
        ("tunables", {"returned_bytes": 0}, State.BROKEN, "not obeyed"),
        ("tunables", {"returned_bytes": -4096}, State.BROKEN, "not obeyed"),
        ("pinning", {"pinned": False}, State.DEGRADED, "no effect"),
        ("clear_refs", {"hwm_left_bytes": None}, State.DEGRADED, "may not be written"),
        ("clear_refs", {"hwm_left_bytes": 2 << 20}, State.DEGRADED, "too high"),
        (
            "environment",
            {"environment": ("LD_LIBRARY_PATH", "OMP_NUM_THREADS")},
            State.NOTE,
            "LD_LIBRARY_PATH",
        ),
        ("folder", {"folder_characters": 40}, State.NOTE, "40 characters, not 26"),
        ("python", {"uncompiled": ("encodings", "encodings.utf_8")}, State.DEGRADED, "no .pyc of encodings"),
    ],
)
def test_control_that_does_not_hold(
    witness: Witness, surroundings: Surroundings, name: str, seen: dict[str, Any], state: State, told: str
) -> None:
    finding = found(name, replace(witness, **seen), surroundings)

    assert finding.state is state
    assert told in finding.found
    assert finding.meaning
    assert finding.advice


@pytest.mark.parametrize(
    ("name", "seen", "state", "told"),
    [
        ("hardware", {"cpuinfo_told": False}, State.DEGRADED, "/proc/cpuinfo"),
        ("hardware", {"cache_told": False, "topology_told": False}, State.NOTE, "cache or topology"),
        ("memory", {"memory_limits": {"cgroup": 512 << 20}}, State.NOTE, "cgroup 512 MiB"),
        ("memory", {"available_bytes": 512 << 20}, State.NOTE, "512 MiB available"),
        ("cpus", {"load": 2.1}, State.NOTE, "load 2.1"),
    ],
)
def test_circumstance_worth_knowing(
    witness: Witness, surroundings: Surroundings, name: str, seen: dict[str, Any], state: State, told: str
) -> None:
    finding = found(name, witness, replace(surroundings, **seen))

    assert finding.state is state
    assert told in finding.found
    assert finding.advice


def test_large_limit_is_told_and_no_trouble(witness: Witness, surroundings: Surroundings) -> None:
    finding = found("memory", witness, replace(surroundings, memory_limits={"cgroup": 4 << 30}))

    assert finding.state is State.OK
    assert "cgroup 4096 MiB" in finding.found


def test_filter_is_named_as_the_cause_only_where_there_is_one(
    witness: Witness, surroundings: Surroundings
) -> None:
    refused = replace(witness, randomised=True, personality_error=errno.EPERM)

    assert "seccomp filter" in found("aslr", refused, replace(surroundings, seccomp=True)).found
    assert "seccomp" not in found("aslr", refused, surroundings).found


def test_without_a_child_its_surroundings_are_still_told(
    witness: Witness, surroundings: Surroundings
) -> None:
    (unasked, *others) = controls.findings_unasked("failed in import: no /proc", surroundings)

    assert (unasked.name, unasked.state) == ("controls", State.BROKEN)
    assert "failed in import: no /proc" in unasked.found
    assert [one.name for one in others] == ["hardware", "memory", "cpus", "rights"]
    assert others == list(controls.findings(witness, surroundings)[-4:])


def test_only_what_makes_figures_less_exact_is_no_longer_trusted() -> None:
    assert [state.trusted for state in State] == [True, True, False, False]
