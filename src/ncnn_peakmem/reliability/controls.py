"""Whether each control that figures rest on holds here, why not, and what to do. Pure."""

from __future__ import annotations

import errno

from ncnn_peakmem.measurement import Caveat
from ncnn_peakmem.probe.working_folder import PATH_CHARACTERS
from ncnn_peakmem.reliability.finding import Finding, State
from ncnn_peakmem.reliability.surroundings import Surroundings
from ncnn_peakmem.reliability.witness import BLOCK_BYTES, BLOCKS, Witness

ENOUGH_BYTES = 3 << 29
"""What the largest of the built-in networks takes, its process's whole address space."""

_EXPECTED = {"OMP_NUM_THREADS", "GLIBC_TUNABLES"}
# Python itself sets it where it starts in the C locale.
_PYTHONS_OWN = {"LC_CTYPE"}


def findings(witness: Witness, around: Surroundings) -> tuple[Finding, ...]:
    """All that can be said of a child and its surroundings, in the order in which it is shown."""
    return (*_of_child(witness, around), *_of_surroundings(around))


def findings_unasked(cause: str, around: Surroundings) -> tuple[Finding, ...]:
    """What can be said where no child could be asked, for that cause."""
    unasked = Finding(
        "controls",
        State.BROKEN,
        f"cannot be asked: the child that was to tell {cause}",
        "nothing is known of ASLR, THP, tunables, pinning, clear_refs, the environment, the folder and"
        " compiled modules",
        "see to the cause; where /proc is another PID namespace's, mount it anew",
    )
    return (unasked, *_of_surroundings(around))


def _of_child(witness: Witness, around: Surroundings) -> tuple[Finding, ...]:
    return (
        _aslr(witness, around),
        _thp(witness),
        _tunables(witness),
        _pinned(witness),
        _clear_refs(witness),
        _environment(witness),
        _folder(witness),
        _compiled(witness),
    )


def _of_surroundings(around: Surroundings) -> tuple[Finding, ...]:
    return (_hardware(around), _memory(around), _cpus(around), _rights(around))


def _aslr(witness: Witness, around: Surroundings) -> Finding:
    if not witness.randomised:
        return Finding("aslr", State.OK, "off in the child")
    if not witness.personality_error:
        found = (
            "on: nothing tells that it is off (/proc/PID/personality or randomize_va_space is not readable)"
        )
    else:
        filtered = ": a seccomp filter stands before it, as in most containers" if around.seccomp else ""
        found = f"on: personality(2) is refused ({_name(witness.personality_error)}){filtered}"
    return Finding(
        "aslr",
        State.DEGRADED,
        found,
        Caveat.ASLR_ON.advice,
        "run the container with `--security-opt seccomp=unconfined` or a profile that allows personality "
        "0x40000; or start all under `setarch -R` outside of it",
    )


def _thp(witness: Witness) -> Finding:
    if not witness.thp_enabled:
        return Finding("thp", State.OK, "off in the child")
    cause = (
        f"prctl is refused ({_name(witness.thp_error)})" if witness.thp_error else "the kernel does not tell"
    )
    return Finding(
        "thp",
        State.DEGRADED,
        f"on: {cause}",
        Caveat.THP_ON.advice,
        "allow prctl(PR_SET_THP_DISABLE), or `echo never > /sys/kernel/mm/transparent_hugepage/enabled`",
    )


def _tunables(witness: Witness) -> Finding:
    given_back = (BLOCKS - 1) * BLOCK_BYTES
    if witness.returned_bytes >= given_back // 2:
        return Finding("tunables", State.OK, "obeyed: malloc is page-granular")
    return Finding(
        "tunables",
        State.BROKEN,
        f"not obeyed: {given_back} bytes were given back, and the process shrank by {witness.returned_bytes}",
        "`pages` reads like `deployed`: a held buffer may hide in free heap",
        "use a Python on glibc 2.26 or newer, not musl, and preload no other malloc; else gate with `heap`",
    )


def _pinned(witness: Witness) -> Finding:
    if witness.pinned:
        return Finding("pinning", State.OK, "the child runs on the CPU it is given")
    return Finding(
        "pinning",
        State.DEGRADED,
        "sched_setaffinity has no effect on the child",
        Caveat.NOT_PINNED.advice,
        "allow sched_setaffinity(2) in the container's seccomp profile",
    )


def _clear_refs(witness: Witness) -> Finding:
    left = witness.hwm_left_bytes
    if left is not None and left < BLOCKS * BLOCK_BYTES // 2:
        return Finding("clear_refs", State.OK, "VmHWM starts anew with each phase")
    found = "may not be written" if left is None else f"is written, but VmHWM stays {left} bytes too high"
    return Finding(
        "clear_refs",
        State.DEGRADED,
        f"/proc/PID/clear_refs {found}",
        Caveat.NO_PHASE_HWM.advice,
        "mount /proc so that a process may write to its children's files (no `ro`); only vm_hwm suffers",
    )


def _environment(witness: Witness) -> Finding:
    foreign = set(witness.environment) - _EXPECTED - _PYTHONS_OWN
    if not foreign:
        return Finding("environment", State.OK, f"exact: {', '.join(witness.environment)}")
    return Finding(
        "environment",
        State.NOTE,
        f"has {', '.join(sorted(foreign))} besides",
        "its length may move process figures by a page between machines; the floor takes most of that out",
        "use a Python that finds its libraries without it, and keep it the same from run to run",
    )


def _folder(witness: Witness) -> Finding:
    if witness.folder_characters == PATH_CHARACTERS:
        return Finding("folder", State.OK, f"the child's path has {PATH_CHARACTERS} characters, as it should")
    return Finding(
        "folder",
        State.NOTE,
        f"the child's path has {witness.folder_characters} characters, not {PATH_CHARACTERS}",
        "its length moves process figures by up to 24 KiB between machines; the heap is the same",
        "make /tmp a folder that may be written to, and no link to another",
    )


def _compiled(witness: Witness) -> Finding:
    if not witness.uncompiled:
        return Finding("python", State.OK, "all modules that the child imports are compiled")
    named = ", ".join(witness.uncompiled[:3]) + (" ..." if len(witness.uncompiled) > 3 else "")
    return Finding(
        "python",
        State.DEGRADED,
        f"no .pyc of {named}",
        "the floor is higher, by up to 4 MiB, and moves when they appear; net figures hold",
        "run `python -m compileall` over Python's standard library, as a user who may write there",
    )


def _hardware(around: Surroundings) -> Finding:
    if not around.cpuinfo_told:
        return Finding(
            "hardware",
            State.DEGRADED,
            "/proc/cpuinfo does not tell the CPU's features",
            "the machine class is not that of this CPU: baselines of others may be taken for its own",
            "make /proc/cpuinfo readable",
        )
    missing = [
        name for told, name in ((around.cache_told, "cache"), (around.topology_told, "topology")) if not told
    ]
    if not missing:
        return Finding("hardware", State.OK, "/proc/cpuinfo, and cache and topology in /sys, are readable")
    return Finding(
        "hardware",
        State.NOTE,
        f"/sys/devices/system/cpu does not tell {' or '.join(missing)}",
        "the machine class is a guess: it has what ncnn itself then assumes, not what the CPU has",
        "give the container /sys; else keep baselines of containers and of machines apart",
    )


def _memory(around: Surroundings) -> Finding:
    told = [f"{name} {_mib(limit)}" for name, limit in sorted(around.memory_limits.items())]
    found = ", ".join([*told, f"{_mib(around.available_bytes)} available"])
    if min([*around.memory_limits.values(), around.available_bytes]) >= ENOUGH_BYTES:
        return Finding("memory", State.OK, found if told else f"no limit, {found}")
    return Finding(
        "memory",
        State.NOTE,
        found,
        f"large networks need up to {_mib(ENOUGH_BYTES)}: with less they end as out_of_memory",
        "raise the limit, or leave large networks out",
    )


def _cpus(around: Surroundings) -> Finding:
    found = f"{around.cpus} to run on, load {around.load:.1f}"
    if around.load <= around.cpus:
        return Finding("cpus", State.OK, found)
    return Finding(
        "cpus",
        State.NOTE,
        found,
        "busy: probes take longer, and the costs below are less exact; memory figures hold",
        "examine again when the machine is idle",
    )


def _rights(around: Surroundings) -> Finding:
    who = "root" if around.user == 0 else f"user {around.user}"
    return Finding("rights", State.OK, f"{who}, seccomp filter {'on' if around.seccomp else 'off'}")


def heap_recorded() -> Finding:
    """memray works."""
    return Finding("memray", State.OK, "records every allocation of the child")


def gauge_failed(gauge: str, cause: str) -> Finding:
    """A gauge that reads nothing here, or not every time."""
    advice = "see that memray is installed for this Python and can load here" if gauge == "heap" else ""
    return Finding(
        "memray" if gauge == "heap" else gauge,
        State.BROKEN,
        cause,
        f"no figure of `{gauge}` can be relied on here, and none is told",
        advice or "`ncnn-peakmem measure` with a network of yours may tell more",
    )


def cost_failed(cause: str) -> Finding:
    """A probe or the script beside it does not run: there is nothing to compare."""
    return Finding(
        "cost",
        State.NOTE,
        f"a probe could not be timed beside a plain script: {cause}",
        "the cost of a probe is not told; figures hold",
        "see to that; a plain script needs this ncnn's package and all that it imports",
    )


def _name(number: int) -> str:
    return errno.errorcode.get(number, str(number))


def _mib(count: int) -> str:
    return f"{count / (1 << 20):.0f} MiB"
