"""`python -m benchmarks.cost`: measures the suite's own cost, and writes docs/performance.md from it.

Every part is kept as soon as it is measured, so that they can be taken one at a time. What counts are
ratios: a part's rivals run in turn, in the same minutes. No test rests on a clock.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import click

from benchmarks.cost import parent, probes, reporting, suite_runs
from benchmarks.cost.figure import PARTS, Figure, Part, read, write
from benchmarks.cost.page import DATA, PAGE, renewed
from ncnn_peakmem import machine, whole_file


@click.command()
@click.option(
    "--part", "chosen", type=click.Choice(PARTS), multiple=True, help="only these; all if not given"
)
@click.option("--missing", is_flag=True, help="only those that the data file does not have yet")
@click.option("--rounds", type=click.IntRange(1), default=9, show_default=True)
@click.option("--profile", default="article", show_default=True, help="what part `profile` measures")
@click.option("--dry", is_flag=True, help="show the figures, write nothing")
def main(chosen: tuple[str, ...], missing: bool, rounds: int, profile: str, dry: bool) -> None:
    """Measure the suite's own cost, from the root of the repository.

    A part that fails is told and keeps its earlier figures; the others are measured, the exit status is 1.
    """
    ways: dict[str, Callable[[], Iterator[Figure]]] = {
        "probe": partial(probes.against_scripts, rounds),
        "heaptrack": partial(probes.against_heaptrack, rounds),
        "profile": partial(suite_runs.profile, profile),
        "collection": partial(suite_runs.collection, max(1, rounds // 2)),
        "report": reporting.reports,
        "parent": parent.memory,
    }
    failed = False
    for name in chosen or PARTS:
        if missing and name in read(DATA):
            continue
        start = time.monotonic()
        click.echo(f"-- {name}")
        try:
            part = _measured(ways[name])
            if not dry:
                _keep(name, part)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other parts are worth their time
            failed = True
            told = f"{type(error).__name__}: {error}"
            click.echo(f"part {name} failed, its earlier figures stay: {told}", err=True)
        click.echo(f"-- {name} took {time.monotonic() - start:.0f} s")
    sys.exit(1 if failed else 0)


def _measured(way: Callable[[], Iterator[Figure]]) -> Part:
    before = os.getloadavg()[0]
    figures = []
    for figure in way():
        told = f" (aim missed by {figure.missed_by:.0f} %)" if figure.missed_by else ""
        click.echo(f"{figure.name}: {figure.median:.3f} {figure.unit}{told}")
        figures.append(figure)
    load = (before, os.getloadavg()[0])
    return Part(machine.detect().id, len(os.sched_getaffinity(0)), load, tuple(figures))


def _keep(name: str, part: Part) -> None:
    """The part beside those that were kept before, in the data file and on the page."""
    known: Mapping[str, Part] = {**read(DATA), name: part}
    ordered = {name: known[name] for name in PARTS if name in known}
    write(DATA, ordered)
    whole_file.write(PAGE, renewed(PAGE.read_text(), ordered).encode())


if __name__ == "__main__":
    main()
