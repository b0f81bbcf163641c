"""What a campaign asks, in which order. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ncnn_peakmem.case import Case
from ncnn_peakmem.measurement import JUDGED_PHASES, Gauge, Phase
from ncnn_peakmem.reliability.campaign.trial import Part, Subject

SIZES = tuple(512 << doubling for doubling in range(12))
"""What `heap` and `pages` are asked for: 512 B to 1 MiB."""

DEPLOYED_SIZES = (512, 32 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20, 256 << 20)
"""What `deployed` is asked for: nothing below its tolerance can turn it red, and that is 16 MiB at least."""


_SELDOM = 3


@dataclass(frozen=True, slots=True)
class Task:
    """One probe to judge."""

    part: Part
    case: Case
    gauge: Gauge
    loaded: bool = False
    number: int = 0
    phase: Phase | None = None
    held_bytes: int = 0

    @property
    def subject(self) -> Subject:
        """Whose reading it takes."""
        return Subject(self.part, self.case.id, self.gauge)

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from all other tasks: the trial that answers it has the same."""
        return (self.subject, self.loaded, self.number, self.phase, self.held_bytes)


@dataclass(frozen=True, slots=True)
class Block:
    """Probes that are judged one after another, with the machine kept busy or left alone."""

    title: str
    tasks: tuple[Task, ...]
    loaded: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Which cases are measured again and again, how often under either load, and which hold more.

    The cases whose ids are in `seldom` are measured in every third round only.
    """

    identical: tuple[Case, ...]
    injected: tuple[Case, ...]
    repeats: int
    seldom: frozenset[str] = frozenset()
    gauges: tuple[Gauge, ...] = tuple(Gauge)
    sizes: tuple[int, ...] = SIZES
    deployed_sizes: tuple[int, ...] = DEPLOYED_SIZES

    @property
    def blocks(self) -> Iterator[Block]:
        """All of it: rounds left alone and kept busy take turns, so that what drifts meets both."""
        for number in range(1, self.repeats + 1):
            for loaded in (False, True):
                yield Block(
                    f"round {number} of {self.repeats}, {'kept busy' if loaded else 'left alone'}",
                    tuple(self._round(number, loaded=loaded)),
                    loaded,
                )
        for case in self.injected:
            yield Block(f"growth in {case.id}", tuple(self._growth(case)))

    @property
    def count(self) -> int:
        """How many probes are to be judged."""
        return sum(len(block.tasks) for block in self.blocks)

    def _round(self, number: int, *, loaded: bool) -> Iterator[Task]:
        for case in self.identical:
            if case.id in self.seldom and number % _SELDOM != 1:
                continue
            for gauge in self.gauges:
                yield Task(Part.IDENTICAL, case, gauge, loaded, number)

    def _growth(self, case: Case) -> Iterator[Task]:
        for gauge in self.gauges:
            sizes = self.deployed_sizes if gauge is Gauge.DEPLOYED else self.sizes
            for phase in JUDGED_PHASES:
                for held_bytes in sizes:
                    yield Task(Part.INJECTED, case, gauge, phase=phase, held_bytes=held_bytes)
