"""A figure of the suite's own cost, what was aimed at, and the file that keeps them."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ncnn_peakmem import whole_file

PARTS = ("probe", "heaptrack", "profile", "collection", "report", "parent")
"""What is measured, in the order of the page."""


@dataclass(frozen=True, slots=True)
class Aim:
    """A bound on a figure: at most so much, or at least.

    `why` tells what the figure is made of, as measured beside it: it is shown where the aim is missed.
    """

    value: float
    why: str
    at_least: bool = False

    def missed_by(self, measured: float) -> float:
        """How far a figure is on the wrong side, in percent of the aim; 0 or less where it is met."""
        beyond = self.value - measured if self.at_least else measured - self.value
        return 100 * beyond / self.value


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity, measured in several rounds; `unit` is empty for a ratio."""

    name: str
    rounds: tuple[float, ...]
    unit: str = ""
    aim: Aim | None = None

    @property
    def median(self) -> float:
        """The figure itself."""
        return statistics.median(self.rounds)

    @property
    def missed_by(self) -> float:
        """How far the aim is missed, in percent; 0 where it is met or where there is none."""
        return max(0.0, self.aim.missed_by(self.median)) if self.aim else 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """The figures of one part, and how busy the machine was: load average over a minute, before and after."""

    machine: str
    cpus: int
    load: tuple[float, float]
    figures: tuple[Figure, ...] = field(default=())


def read(file: Path) -> dict[str, Part]:
    """The parts that a data file holds; none where there is no file."""
    if not file.exists():
        return {}
    return {name: _part(part) for name, part in json.loads(file.read_text()).items()}


def write(file: Path, parts: Mapping[str, Part]) -> None:
    """Keep the parts."""
    text = json.dumps({name: asdict(part) for name, part in parts.items()}, indent=2)
    whole_file.write(file, f"{text}\n".encode())


def _part(data: Mapping[str, Any]) -> Part:
    before, after = data["load"]
    return Part(data["machine"], data["cpus"], (before, after), tuple(_figures(data["figures"])))


def _figures(data: list[Mapping[str, Any]]) -> Iterator[Figure]:
    for figure in data:
        aim = Aim(**figure["aim"]) if figure["aim"] else None
        yield Figure(figure["name"], tuple(figure["rounds"]), figure["unit"], aim)
