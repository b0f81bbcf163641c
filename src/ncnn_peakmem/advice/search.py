"""Which setups to measure next, told what is known. Pure: the same findings give the same answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod

from ncnn_peakmem.advice.finding import Finding, candidates
from ncnn_peakmem.advice.front import front
from ncnn_peakmem.advice.goal import Figures, Goal
from ncnn_peakmem.advice.space import Setup, Space
from ncnn_peakmem.measurement import Gauge, Phase

_LIGHT = "lightmode"
_WINOGRAD = "use_winograd"
_SGEMM = "use_sgemm_convolution"
# How far below the sum of its parts a combination may come.
_INTERACTION = 0.8
# By how much it has to be expected to be faster than what takes less, to be worth a look.
_NOTICEABLE = 0.02


@dataclass(frozen=True, slots=True)
class Outlook:
    """The heap of a setup as a forecast has it; `doubted` where not even a rule was ever checked."""

    phases: Figures
    lower_bound: float
    doubted: bool = False


Foretell = Callable[[Setup], Outlook | None]
"""The forecast of a setup; None where it has none."""

Known = Mapping[Setup, Finding]


@dataclass(frozen=True, slots=True)
class Search:
    """A search through a space in stages, each of which needs what the ones before have found.

    The default of each precision; each single change; the pairs of options that act upon each other; and
    what has one change more than a setup on the front, until nothing is left that could be on it.
    """

    space: Space
    goal: Goal
    foretell: Foretell = lambda _: None

    def queue(self, known: Known) -> tuple[Setup, ...]:
        """What to measure now, the most promising first; empty where the search is over."""
        for stage in (self._defaults, self._singles, self._pairs, self._neighbours):
            if wanted := [setup for setup in dict.fromkeys(stage(known)) if setup not in known]:
                return tuple(wanted)
        return ()

    def _defaults(self, known: Known) -> Iterator[Setup]:  # noqa: ARG002
        yield from map(self.space.default, self.space.precisions)

    def _singles(self, known: Known) -> Iterator[Setup]:
        for base in self._bases(known):
            yield from self.space.steps(base)

    def _pairs(self, known: Known) -> Iterable[Setup]:
        """Light mode with all else, and the ways of a convolution with each other."""
        pairs = []
        for base in self._bases(known):
            for one in self.space.steps(base):
                if not one.changes or not known[one].runs:
                    continue
                for pair in self.space.steps(one):
                    other = next(part for part in self.space.parts(pair) if part != one)
                    if known[other].runs and self._interact(one, other):
                        pairs.append(pair)
        return self._hopeful(pairs, known)

    def _neighbours(self, known: Known) -> Iterable[Setup]:
        found = candidates(known.values(), self.goal)
        on_front = front(found, self.space.distance, self.goal.noise)
        steps = (step for one in on_front for step in self.space.steps(one.setup))
        return self._hopeful(filter(lambda step: self._effective(step, known), steps), known)

    def _bases(self, known: Known) -> Iterator[Setup]:
        """The defaults that run and are not the same as another one."""
        for base in map(self.space.default, self.space.precisions):
            if known[base].runs and known[base].same_as is None:
                yield base

    def _interact(self, one: Setup, other: Setup) -> bool:
        flags = self.space.flags(one).keys()
        if _LIGHT in flags:
            return True
        ways = any(flag.startswith(_WINOGRAD) for flag in flags)
        return ways and _SGEMM in self.space.flags(other)

    def _effective(self, setup: Setup, known: Known) -> bool:
        """Whether each of its changes does something by itself."""
        parts = [known.get(part) for part in self.space.parts(setup)]
        return all(part is not None and part.runs and part.same_as is None for part in parts)

    def _hopeful(self, setups: Iterable[Setup], known: Known) -> list[Setup]:
        """Those that may be on the front, from the least memory that they may take."""
        found = candidates(known.values(), self.goal)
        hopes: dict[Setup, float] = {}
        for setup in dict.fromkeys(setups):
            if setup in known:
                continue
            least, ratio = self._least(setup, known), self._ratio(setup, known)
            faster = ratio * (1 + _NOTICEABLE)
            if not any(one.bytes <= least and one.ratio.median <= faster for one in found):
                hopes[setup] = least
        return sorted(hopes, key=hopes.__getitem__)

    def _least(self, setup: Setup, known: Known) -> float:
        """What a setup may take at least, in bytes."""
        summed = self._summed(setup, known) * _INTERACTION
        told = self._foretold(setup)
        if told is None or (size := self.goal.stretch.of(told.phases, self.goal.metric)) is None:
            return summed
        if self._exact(setup, known):
            return size
        return summed if told.doubted else min(summed, size * told.lower_bound)

    def _foretold(self, setup: Setup) -> Outlook | None:
        return self.foretell(setup) if self.goal.gauge is Gauge.HEAP else None

    def _exact(self, setup: Setup, known: Known) -> bool:
        """Whether forecasts were right, to the byte, of all that was measured with some of the changes."""
        judged = [
            (self.foretell(other), finding.reading(self.goal.gauge).phases)
            for other, finding in known.items()
            if other.precision is setup.precision and other.axes <= setup.axes and finding.runs
        ]
        return bool(judged) and all(
            told is not None and all(phases.get(phase) == figures for phase, figures in told.phases.items())
            for told, phases in judged
        )

    def _summed(self, setup: Setup, known: Known) -> float:
        """The goal's figure if what each change adds to each phase came together."""
        base = self._phases(self.space.default(setup.precision), known)
        parts = [self._phases(part, known) for part in self.space.parts(setup)]
        sums = [
            size + sum(part.get(phase, size) - size for part in parts)
            for phase, size in base.items()
            if phase in self.goal.stretch.phases
        ]
        return max(0, *sums) if sums else 0

    def _phases(self, setup: Setup, known: Known) -> dict[Phase, int]:
        if setup not in known:
            return {}
        metric = self.goal.metric
        phases = known[setup].reading(self.goal.gauge).phases
        return {phase: figures[metric] for phase, figures in phases.items() if metric in figures}

    def _ratio(self, setup: Setup, known: Known) -> float:
        """The time over the reference's if what each change does to it came together."""
        base = self._time(self.space.default(setup.precision), known)
        return base * prod(self._time(part, known) / base for part in self.space.parts(setup))

    def _time(self, setup: Setup, known: Known) -> float:
        """A setup's time over the reference's; that of one which was folded is its twin's."""
        finding = known.get(setup)
        if finding is not None and finding.same_as is not None:
            finding = known.get(finding.same_as)
        return finding.ratio.median if finding is not None and finding.ratio is not None else 1.0
