"""SIGTERM as Ctrl-C: what is under way unwinds, so that nothing is left lying about."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

TERMINATED = 128 + signal.SIGTERM
"""The exit code of a program that SIGTERM ended, as shells tell it."""


class Terminated(KeyboardInterrupt):
    """SIGTERM came."""


@contextmanager
def termination_raised() -> Iterator[None]:
    """Have the first SIGTERM raise `Terminated` in the main thread, unless somebody handles it already.

    Those that follow are passed over: what unwinds is not to be stopped midway. SIGKILL is there for that.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _raise)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def note_termination_only() -> None:
    """Have a SIGTERM raise nothing any more in the context that is open: something else has it unwind."""
    if signal.getsignal(signal.SIGTERM) is _raise:
        signal.signal(signal.SIGTERM, _note)


def termination_came() -> bool:
    """Whether SIGTERM came in the context that is open."""
    return signal.getsignal(signal.SIGTERM) is _pass_over


def raise_if_terminated() -> None:
    """Raise `Terminated` again, for whoever is about to begin something though SIGTERM came.

    Python passes over what is raised while it collects garbage or runs a `__del__`.
    """
    if termination_came():
        raise Terminated


def _raise(number: int, frame: FrameType | None) -> None:
    _note(number, frame)
    raise Terminated


def _note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    signal.signal(signal.SIGTERM, _pass_over)


def _pass_over(number: int, frame: FrameType | None) -> None:
    """It is known already."""
