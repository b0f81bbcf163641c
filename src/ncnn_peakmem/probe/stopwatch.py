"""Time beside memory: a child that can be told when to load and when to infer, and be timed from outside."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from ncnn_peakmem.measurement import Phase
from ncnn_peakmem.probe.job import Job
from ncnn_peakmem.probe.launcher import Child, Conditions


class Stopwatch:
    """A child under default malloc that has imported ncnn, as a context manager.

    Each step returns when the child has done it; the wire adds some 50 microseconds. `ProbeEnded` where a
    step fails.
    """

    def __init__(self, job: Job, conditions: Conditions) -> None:
        self._child = Child(job, conditions)

    def __enter__(self) -> Self:
        self._child.__enter__()
        self._child.command("import", Phase.IMPORT)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._child.__exit__(kind, error, traceback)

    def load(self) -> None:
        """Load the network, graph and weights."""
        self._child.command("load_param", Phase.LOAD_PARAM)
        self._child.command("load_model", Phase.LOAD_MODEL)

    def prepare_input(self) -> None:
        """Make the input that every inference reads."""
        self._child.command("prepare_input", Phase.FIRST)

    def infer(self) -> None:
        """One inference."""
        self._child.command("infer", Phase.STEADY)
