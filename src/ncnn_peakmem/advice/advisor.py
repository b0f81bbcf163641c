"""Goes through a search, and makes advice of what it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ncnn_peakmem.advice.advice import Advice, Confirmation
from ncnn_peakmem.advice.finding import Candidate, Finding, candidates, twin
from ncnn_peakmem.advice.front import front
from ncnn_peakmem.advice.goal import Goal
from ncnn_peakmem.advice.recommendation import Answer, recommend
from ncnn_peakmem.advice.search import Foretell, Search
from ncnn_peakmem.advice.space import Setup, Space
from ncnn_peakmem.advice.timing import SAME, Timing
from ncnn_peakmem.case import Case
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import Measurement


class NothingRuns(Exception):
    """No precision of the network runs with options at their default: nothing can be compared with it."""


class Bench(Protocol):
    """What measures a case."""

    def measure(self, case: Case) -> Measurement:
        """The memory of a case."""

    def time(self, case: Case, reference: Case) -> Timing:
        """The time of a case beside that of a reference."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far a search is: `done` setups of the `planned` that are known of, and what is measured now.

    `planned` grows while the search goes on, up to `most`.
    """

    done: int
    planned: int
    most: int
    now: str


@dataclass(frozen=True)
class Advisor:
    """Measures at most `most` setups of a space on `bench`; `fresh` confirms what comes of it."""

    ncnn: str
    machine: MachineClass
    space: Space
    goal: Goal
    bench: Bench
    fresh: Bench
    foretell: Foretell = lambda _: None
    most: int = 60
    progress: Callable[[Place], None] = lambda _: None

    def run(self) -> Advice:
        """Search, judge, confirm. NothingRuns where there is nothing to compare with."""
        search = Search(self.space, self.goal, self.foretell)
        known: dict[Setup, Finding] = {}
        while (queue := search.queue(known)) and len(known) < self.most:
            for setup in queue[: self.most - len(known)]:
                planned = min(self.most, len(known) + len(queue))
                self.progress(Place(len(known), planned, self.most, self.space.case(setup).id))
                known[setup] = self._find(setup, known)
                queue = queue[1:]
        found = candidates(known.values(), self.goal)
        reference = next((one for one in found if one.finding.timing is None), None)
        if reference is None:
            raise NothingRuns(self._why(known))
        best = recommend(known.values(), reference, self.space, self.goal)
        confirmation = None
        if best.answer is Answer.CHANGE and best.chosen is not None:
            told = f"{self.space.case(best.chosen.setup).id} once more"
            self.progress(Place(len(known), len(known), self.most, told))
            confirmation = self._confirm(reference, best.chosen)
        return Advice(
            ncnn=self.ncnn,
            machine=self.machine,
            space=self.space,
            goal=self.goal,
            reference=reference.setup,
            findings=known,
            front=front(found, self.space.distance, self.goal.noise),
            recommendation=best,
            confirmation=confirmation,
            most=self.most,
            left=len(queue),
        )

    def _find(self, setup: Setup, known: dict[Setup, Finding]) -> Finding:
        """Memory first: what does not run, or is the same as something else, need not be timed."""
        case = self.space.case(setup)
        measurement = self.bench.measure(case)
        if not measurement.outcome.ok:
            return Finding(setup, measurement)
        untimed = (one.setup for one in known.values() if one.ratio is not None and one.timing is None)
        if (reference := next(untimed, None)) is None:
            return Finding(setup, measurement, SAME)
        if same := twin(setup, measurement, self.goal, known):
            return Finding(setup, measurement, same_as=same)
        return _timed(setup, measurement, self.bench.time(case, self.space.case(reference)))

    def _confirm(self, reference: Candidate, chosen: Candidate) -> Confirmation:
        before, after = self.space.case(reference.setup), self.space.case(chosen.setup)
        usual = Finding(reference.setup, self.fresh.measure(before), SAME)
        if chosen.setup == reference.setup:
            return Confirmation(usual, usual)
        measurement = self.fresh.measure(after)
        if not (usual.runs and measurement.outcome.ok):
            return Confirmation(usual, Finding(chosen.setup, measurement))
        return Confirmation(usual, _timed(chosen.setup, measurement, self.fresh.time(after, before)))

    def _why(self, known: dict[Setup, Finding]) -> str:
        lines = [f"{one.measurement.case}: {one.outcome.kind}: {one.outcome.cause}" for one in known.values()]
        return "\n".join(["nothing can be measured with options at their default", *lines])


def _timed(setup: Setup, measurement: Measurement, timing: Timing) -> Finding:
    return Finding(setup, measurement, timing.ratio if timing.ok else None, timing)
