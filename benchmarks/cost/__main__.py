"""`python -m benchmarks.cost`: measures the suite's own cost, and writes docs/performance.md from it.

Every part is kept as soon as it is measured, so that they can be taken one at a time. What counts are
ratios: a part's rivals run in turn, in the same minutes. No test rests on a clock.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial

import click

from benchmarks.cost import parent, probes, reporting, suite_runs
from benchmarks.cost.figure import Figure, Part, read, write
from benchmarks.cost.page import DATA, PAGE, renewed
from ncnn_peakmem import machine

_PARTS = ("probe", "heaptrack", "profile", "collection", "report", "parent")


@click.command()
@click.option(
    "--part", "chosen", type=click.Choice(_PARTS), multiple=True, help="only these; all if not given"
)
@click.option("--missing", is_flag=True, help="only those that the data file does not have yet")
@click.option("--rounds", type=click.IntRange(1), default=9, show_default=True)
@click.option("--profile", default="article", show_default=True, help="what part `profile` measures")
@click.option("--dry", is_flag=True, help="show the figures, write nothing")
def main(chosen: tuple[str, ...], missing: bool, rounds: int, profile: str, dry: bool) -> None:
    """Measure the suite's own cost, from the root of the repository."""
    ways: dict[str, Callable[[], Iterator[Figure]]] = {
        "probe": partial(probes.against_scripts, rounds),
        "heaptrack": partial(probes.against_heaptrack, rounds),
        "profile": partial(suite_runs.profile, profile),
        "collection": partial(suite_runs.collection, max(1, rounds // 2)),
        "report": reporting.reports,
        "parent": parent.memory,
    }
    kept = read(DATA)
    for name in chosen or _PARTS:
        if missing and name in kept:
            continue
        kept[name] = _measured(ways[name])
        ordered = {part: kept[part] for part in _PARTS if part in kept}
        if not dry:
            write(DATA, ordered)
            PAGE.write_text(renewed(PAGE.read_text(), ordered))


def _measured(way: Callable[[], Iterator[Figure]]) -> Part:
    before = os.getloadavg()[0]
    figures = []
    for figure in way():
        told = f" (aim missed by {figure.missed_by:.0f} %)" if figure.missed_by else ""
        click.echo(f"{figure.name}: {figure.median:.3f} {figure.unit}{told}")
        figures.append(figure)
    load = (before, os.getloadavg()[0])
    return Part(machine.detect().id, len(os.sched_getaffinity(0)), load, tuple(figures))


if __name__ == "__main__":
    main()
