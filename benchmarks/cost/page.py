"""docs/performance.md: its table is what the data file renders to, between two comments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.cost.figure import Figure, Part

_DOCS = Path(__file__).parents[2] / "docs"
PAGE = _DOCS / "performance.md"
DATA = _DOCS / "performance.json"
COMMAND = "python -m benchmarks.cost"

_BEGIN = f"<!-- made by `{COMMAND}`: -->"
_END = "<!-- made until here -->"
_HEADER = ("| what | median | range | rounds | aim | |", "| --- | ---: | ---: | ---: | ---: | --- |")


def renewed(page: str, parts: Mapping[str, Part]) -> str:
    """The page with the table of these parts in place of the one it has."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return "\n".join([f"{before}{_BEGIN}", "", *table(parts), "", f"{_END}{after}"])


def table(parts: Mapping[str, Part]) -> list[str]:
    """The lines of the table, the aims that are missed, and the machine."""
    figures = [figure for part in parts.values() for figure in part.figures]
    lines = [*_HEADER, *map(_row, figures), ""]
    missed = [figure for figure in figures if figure.missed_by]
    if missed:
        lines += ["Missed:", "", *(f"- {_excuse(figure)}" for figure in missed), ""]
    return [*lines, *_machines(parts)]


def _row(figure: Figure) -> str:
    low, high = min(figure.rounds), max(figure.rounds)
    several = len(figure.rounds) > 1
    spread = f"{_number(low, figure.unit)} to {_number(high, figure.unit)}" if several else ""
    verdict = "" if figure.aim is None else "**missed**" if figure.missed_by else "met"
    cells = (figure.name, _number(figure.median, figure.unit), spread, str(len(figure.rounds)), _aim(figure))
    return f"| {' | '.join(cells)} | {verdict} |"


def _aim(figure: Figure) -> str:
    if figure.aim is None:
        return ""
    return f"{'>=' if figure.aim.at_least else '<='} {figure.aim.value:g}{_of(figure.unit)}"


def _excuse(figure: Figure) -> str:
    told = f"{figure.name}: {_number(figure.median, figure.unit)}, by {figure.missed_by:.0f} % of the aim"
    return f"{told}. {figure.aim.why}" if figure.aim else told


def _number(value: float, unit: str) -> str:
    return f"{value:.{1 if abs(value) >= 100 else 2}f}{_of(unit)}"


def _of(unit: str) -> str:
    return f" {unit}" if unit else ""


def _machines(parts: Mapping[str, Part]) -> Iterator[str]:
    for name, part in parts.items():
        before, after = part.load
        load = f"load average {before:.1f} before, {after:.1f} after"
        yield f"- {name}: {part.cpus} CPUs of `{part.machine}`, {load}"
