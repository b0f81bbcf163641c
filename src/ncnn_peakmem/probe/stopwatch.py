"""Time beside memory: a child that can be told when to load and when to infer, and be timed from outside."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Self

from ncnn_peakmem.measurement import Phase
from ncnn_peakmem.probe.launcher import Child


class Stopwatch(Child):
    """A child whose context begins with ncnn imported.

    Each step returns when the child has done it; the wire adds some 50 microseconds. `ProbeEnded` where a
    step fails.
    """

    def __enter__(self) -> Self:
        super().__enter__()
        with ExitStack() as begun:
            begun.push(self)
            self.command("import", Phase.IMPORT)
            begun.pop_all()
        return self

    def load(self) -> None:
        """Load the network, graph and weights."""
        self.command("load_param", Phase.LOAD_PARAM)
        self.command("load_model", Phase.LOAD_MODEL)

    def prepare_input(self) -> None:
        """Make the input that every inference reads."""
        self.command("prepare_input", Phase.FIRST)

    def infer(self) -> int:
        """One inference; the nanoseconds that it took, as the child read them."""
        return self.command("infer", Phase.STEADY)
