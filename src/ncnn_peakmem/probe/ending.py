"""How a child ended: an outcome for what it said, what it printed and how it died."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from ncnn_peakmem.measurement import Outcome, OutcomeKind, Phase

_CAUSE_CHARACTERS = 600


@dataclass(frozen=True, slots=True)
class Ending:
    """A child that ends in a phase: the last that it printed, and the memory limit it was held to."""

    phase: Phase
    log: bytes
    memory_limit_bytes: int | None = None

    def refusal(self, word: OutcomeKind, detail: str) -> Outcome:
        """The outcome of a step that the child itself reports as not done."""
        detail = tidy(detail)
        if lack := self._lack():
            return Outcome(OutcomeKind.UNSUPPORTED, lack, self.phase)
        if word is OutcomeKind.FAILED:
            return self._failure(OutcomeKind.FAILED, self._with_log(detail))
        # A MemoryError seldom has a text of its own.
        return Outcome(word, f"{detail}MemoryError" if detail.endswith(": ") else detail, self.phase)

    def breach(self, what: str) -> Outcome:
        """The outcome of a child that does not keep to the protocol: what it would say means nothing."""
        return self._failure(OutcomeKind.FAILED, self._with_log(f"the child {what}"))

    def death(self, step: str, status: int | None, *, starved: bool) -> Outcome:
        """The outcome of a child that died in a step.

        `status` is negative for a signal, and None where the child lives on without its wire; `starved` tells
        that the kernel killed for want of memory meanwhile.
        """
        if status is None:
            return self._failure(OutcomeKind.FAILED, self._with_log(f"the child hung up in {step}"))
        if status >= 0:
            return self._failure(OutcomeKind.CRASHED, self._with_log(f"exit status {status} in {step}"))
        if status == -signal.SIGKILL and starved:
            cause = f"killed by the kernel for want of memory in {step}"
            return Outcome(OutcomeKind.OUT_OF_MEMORY, cause, self.phase)
        if any("bad_alloc" in line for line in self._lines()):
            cause = self._with_log(f"out of memory in {step}")
            return Outcome(OutcomeKind.OUT_OF_MEMORY, cause, self.phase)
        if lack := self._lack():
            # Before it can return an error, ncnn goes on without the layer, and dies of that.
            cause = f"{lack}, and dies of it: {_signal_name(-status)} in {step}"
            return Outcome(OutcomeKind.UNSUPPORTED, cause, self.phase)
        return self._failure(OutcomeKind.CRASHED, self._with_log(f"{_signal_name(-status)} in {step}"))

    def _lack(self) -> str:
        """Which layer of the graph this ncnn said that it has not; empty where it said no such thing."""
        if self.phase is not Phase.LOAD_PARAM:
            return ""
        unknown = next((line for line in self._lines() if line.endswith("not exists or registered")), "")
        operator = unknown.removeprefix("layer ").partition(" ")[0]
        return operator and f"this ncnn has no layer {operator}"

    def _failure(self, kind: OutcomeKind, cause: str) -> Outcome:
        """A failure, or what it comes to under a memory limit, where ncnn may return errors or crash."""
        if self.memory_limit_bytes is None:
            return Outcome(kind, cause, self.phase)
        limited = f"limited to {self.memory_limit_bytes} bytes: {cause}"
        return Outcome(OutcomeKind.OUT_OF_MEMORY, limited, self.phase)

    def _with_log(self, cause: str) -> str:
        """The cause with the last thing that ncnn printed about it."""
        last = next((line.strip() for line in reversed(self._lines()) if line.strip()), "")
        return f"{cause} ({last})" if last else cause

    def _lines(self) -> list[str]:
        """What was printed, as text that is safe to show."""
        return [tidy(line) for line in self.log.decode(errors="replace").splitlines()]


def tidy(text: str) -> str:
    """A text from the child on one line, of a length and in characters that reports can show."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    return shown if len(shown) <= _CAUSE_CHARACTERS else f"{shown[:_CAUSE_CHARACTERS]}..."


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        # Most of the real-time signals have no name.
        return f"signal {number}"
