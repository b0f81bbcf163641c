"""What to change: the cheapest way into a budget, or the most that is saved for nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ncnn_peakmem.advice.finding import Candidate, Finding, candidates
from ncnn_peakmem.advice.goal import Goal
from ncnn_peakmem.advice.space import Space

_ALIKE = 0.05


class Answer(StrEnum):
    """What comes of the search."""

    KEEP = "keep"
    """The default is as good as anything found, or reaches the budget."""
    CHANGE = "change"
    """Something else is better."""
    OUT_OF_REACH = "out_of_reach"
    """Nothing that was measured is within budget and time."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """`chosen` is what to use, None where nothing will do; `floor` is the smallest that runs, timed or not.

    `plainer` is what to use where the weights are to stay as they are, if `chosen` changes them; None where
    nothing with them will do.
    """

    answer: Answer
    chosen: Candidate | None
    floor: Finding
    plainer: Candidate | None = None


def recommend(findings: Iterable[Finding], reference: Candidate, space: Space, goal: Goal) -> Recommendation:
    """What to use of all that was found, `reference` among it."""
    ran = [one for one in findings if one.runs and one.same_as is None]
    least = min(one.bytes(goal) for one in ran)
    floor = min(
        (one for one in ran if one.bytes(goal) <= least + goal.noise),
        key=lambda one: space.distance(one.setup),
    )
    found = candidates(ran, goal)
    chosen = _choose(found, reference, space, goal)
    if chosen is None:
        return Recommendation(Answer.OUT_OF_REACH, None, floor)
    if chosen.setup == space.origin:
        return Recommendation(Answer.KEEP, chosen, floor)
    plainer = None
    if chosen.setup.precision is not space.origin.precision:
        own = [one for one in found if one.setup.precision is space.origin.precision]
        plainer = _choose(own, reference, space, goal)
    return Recommendation(Answer.CHANGE, chosen, floor, plainer)


def _choose(found: Sequence[Candidate], reference: Candidate, space: Space, goal: Goal) -> Candidate | None:
    fitting = [one for one in found if fits(one, goal)]
    if not fitting:
        return None
    if goal.budget is None:
        least = min(one.bytes for one in fitting)
        return min(
            (one for one in fitting if one.bytes <= least + goal.noise),
            key=lambda one: (space.distance(one.setup), one.ratio.median),
        )
    if any(one.setup == reference.setup for one in fitting):
        return reference
    return _cheapest(fitting, space)


def fits(one: Candidate, goal: Goal) -> bool:
    """Whether it is within the budget and the time that are allowed."""
    if goal.budget is not None and one.bytes > goal.budget:
        return False
    return goal.allowed_growth is None or one.ratio.growth <= goal.allowed_growth


def _cheapest(fitting: Sequence[Candidate], space: Space) -> Candidate:
    """The fastest; of those as fast as it, within noise, the one that changes least and then takes least."""
    fastest = min(fitting, key=lambda one: one.ratio.median)
    alike = [
        one
        for one in fitting
        if not one.ratio.slower_than(fastest.ratio)
        and one.ratio.median <= fastest.ratio.median * (1 + _ALIKE)
    ]
    return min(
        alike,
        key=lambda one: (
            one.setup.precision is not space.origin.precision,
            space.distance(one.setup),
            one.bytes,
            one.ratio.median,
        ),
    )
