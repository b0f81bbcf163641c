"""The advice itself, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ncnn_peakmem.advice.finding import Candidate, Finding
from ncnn_peakmem.advice.goal import Goal
from ncnn_peakmem.advice.recommendation import Answer, Recommendation
from ncnn_peakmem.advice.space import Setup, Space
from ncnn_peakmem.machine import MachineClass


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The reference and what is recommended, measured once more for nothing but to be compared.

    Both are one finding where the reference itself is recommended, for the default does not run.
    """

    before: Finding
    after: Finding

    @property
    def alone(self) -> bool:
        """Whether there was nothing to compare with."""
        return self.before.setup == self.after.setup

    def holds(self, goal: Goal) -> bool:
        """Whether what is claimed was seen again.

        It ran, and fits the budget, or takes less by more than noise; and it is not slower than is allowed by
        more than noise.
        """
        if not (self.before.runs and self.after.runs and self.after.ratio is not None):
            return False
        allowed = goal.allowed_growth
        if allowed is not None and self.after.ratio.low - 1 > allowed:
            return False
        if goal.budget is not None:
            return self.after.bytes(goal) <= goal.budget
        return self.alone or self.after.bytes(goal) < self.before.bytes(goal) - goal.noise


@dataclass(frozen=True, slots=True)
class Advice:
    """Everything that was found of a space, in the order in which it was measured.

    `most` bounds how many setups may be measured; `left` is how many the search would still have looked at.
    """

    ncnn: str
    machine: MachineClass
    space: Space
    goal: Goal
    reference: Setup
    findings: Mapping[Setup, Finding]
    front: tuple[Candidate, ...]
    recommendation: Recommendation
    confirmation: Confirmation | None
    most: int
    left: int

    @property
    def reached(self) -> bool:
        """Whether there is something to use, and a fresh measurement of it agrees."""
        if self.recommendation.answer is Answer.OUT_OF_REACH:
            return False
        return self.confirmation is None or self.confirmation.holds(self.goal)

    @property
    def folded(self) -> tuple[Finding, ...]:
        """The findings that are the same as one with fewer changes."""
        return tuple(one for one in self.findings.values() if one.same_as is not None)

    @property
    def excluded(self) -> tuple[Finding, ...]:
        """The findings that did not run, or could not be timed."""
        return tuple(one for one in self.findings.values() if not one.outcome.ok)
