"""What is measured: a network under one combination of ncnn options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+~-]{0,249}", re.ASCII)


def is_id(text: str) -> bool:
    """Whether a text from elsewhere could be a case's id: one that can name a file, and no path."""
    return _ID.fullmatch(text) is not None


class Precision(StrEnum):
    """How a network's weights are stored."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


def network_of(case_id: str) -> str:
    """The network that a case's id begins with."""
    return case_id.partition("-")[0]


def threads_of(case_id: str) -> int:
    """The threads that a case's id ends with; 1 where it does not end as an id does."""
    count = re.search(r"-t(\d{1,9})$", case_id, re.ASCII)
    return int(count[1]) if count else 1


@dataclass(frozen=True, slots=True)
class OptionChoice:
    """One value of an option axis: a short label for the `ncnn.Net().opt` flags it sets.

    `in_id` is false for the usual value of an axis that only some profiles vary, so that a case keeps its
    id (and its baseline) whichever profile names it.
    """

    axis: str
    label: str
    flags: Mapping[str, bool]
    in_id: bool = True


@dataclass(frozen=True, slots=True)
class Case:
    """One (network, precision, options, threads); `id` is readable and stable.

    An id is such as `mobilenet_v2-fp32-light-half-q8-t1`.
    """

    network: str
    precision: Precision
    options: tuple[OptionChoice, ...]
    threads: int = 1
    id: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Made once: thousands of cases are looked up by it again and again.
        labels = [choice.label for choice in self.options if choice.in_id]
        made = "-".join([self.network, self.precision, *labels, f"t{self.threads}"])
        object.__setattr__(self, "id", made)

    @property
    def flags(self) -> dict[str, bool]:
        """Every `ncnn.Net().opt` flag that the options set, by ncnn's name."""
        return {flag: value for choice in self.options for flag, value in choice.flags.items()}

    def label(self, axis: str) -> str | None:
        """The label chosen on an axis, or None where the case leaves that axis alone."""
        return next((choice.label for choice in self.options if choice.axis == axis), None)

    def without(self, axis: str) -> tuple[object, ...]:
        """All that identifies the case but one axis: equal for two cases that differ in that axis only."""
        others = sorted((choice.axis, choice.label) for choice in self.options if choice.axis != axis)
        return (self.network, self.precision, self.threads, *others)
