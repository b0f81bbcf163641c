"""What a process hears of its parent's death."""

from __future__ import annotations

import ctypes
import signal

_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None)


def die_with_parent(by: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal once its parent is gone, however the parent went."""
    _libc.prctl(_PR_SET_PDEATHSIG, by)
