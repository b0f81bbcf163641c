"""A filter by which the kernel denies a process, and all that it starts, a system call."""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

import pytest

NUMBERS = {
    "x86_64": {"personality": 135, "prctl": 157, "sched_setaffinity": 203, "pidfd_open": 434},
    "aarch64": {"personality": 92, "prctl": 167, "sched_setaffinity": 122, "pidfd_open": 434},
}
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _MODE_FILTER = 22, 38, 2
_FIRST_ARGUMENT = 16


class Denial:
    """Denies a system call, or only where its first argument is as given; `apply` is for `preexec_fn`."""

    def __init__(self, call: str, argument: int | None = None) -> None:
        numbers = NUMBERS.get(platform.machine())
        if numbers is None:
            pytest.skip(f"the numbers of system calls on {platform.machine()} are not known here")
        # What to load, what it must equal, and how far off "allow" is where it does not.
        checks = [(0, numbers[call])] + ([] if argument is None else [(_FIRST_ARGUMENT, argument)])
        steps: list[tuple[int, int, int, int]] = []
        for left, (offset, value) in zip(range(len(checks), 0, -1), checks, strict=True):
            steps += [(_LOAD, 0, 0, offset), (_JUMP_IF_EQUAL, 0, 2 * left - 1, value)]
        steps += [(_RETURN, 0, 0, _ERRNO | errno.EPERM), (_RETURN, 0, 0, _ALLOW)]
        self._filter = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
        self._program = ctypes.create_string_buffer(
            struct.pack("HxxxxxxP", len(steps), ctypes.addressof(self._filter))
        )
        self._libc = ctypes.CDLL(None, use_errno=True)

    def apply(self) -> None:
        self._libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if self._libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, self._program, 0, 0):
            raise OSError(ctypes.get_errno(), "no seccomp filter")
