"""How far the figures of one case lie apart over identical probes, and how long a probe takes.

    python benchmarks/thread_spread.py --threads 2 --threads 4 --hogs 2 --vary "as measured" --vary undefined

One thing is varied at a time; the probes of all variations take turns, so that what else the machine does is
spread over them alike. `docs/threads.md` tells what came of it. No test rests on it: clocks decide nothing.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import click
from rich.console import Console
from rich.table import Table

from ncnn_peakmem import catalog, runtimes
from ncnn_peakmem.case import Case
from ncnn_peakmem.catalog import Catalog
from ncnn_peakmem.conversion import Cache, convert
from ncnn_peakmem.measurement import JUDGED, JUDGED_PHASES, Gauge, Metric, Phase, Reading
from ncnn_peakmem.network import Loops
from ncnn_peakmem.probe import Conditions, Job, controls, probe, process_status
from ncnn_peakmem.reliability.campaign.load import hogs as running_hogs
from ncnn_peakmem.reports import quantity

_TUNABLES = "GLIBC_TUNABLES"
_GAUGES = tuple(gauge.value for gauge in Gauge)


@dataclass(frozen=True, slots=True)
class Variation:
    """What is other than in a probe of the suite: variables set or (None) left out, and further controls."""

    environment: Mapping[str, str | None] = field(default_factory=dict)
    tunable: str = ""
    cpus: int | None = None
    randomised: bool = False


_VARIATIONS = {
    "as measured": Variation(),
    "undefined": Variation({"OMP_WAIT_POLICY": None}),
    # As long as OMP_WAIT_POLICY=passive and without effect: the size of an environment moves figures too.
    "padding": Variation({"OMP_WAIT_POLICY": None, "NOT_WAIT_POLICY": "passive"}),
    "active": Variation({"OMP_WAIT_POLICY": "active"}),
    "no spinning": Variation({"OMP_WAIT_POLICY": None, "GOMP_SPINCOUNT": "0"}),
    "no blocktime": Variation({"OMP_WAIT_POLICY": None, "KMP_BLOCKTIME": "0"}),
    "one arena": Variation(tunable="glibc.malloc.arena_max=1"),
    "many arenas": Variation(tunable="glibc.malloc.arena_max=64"),
    "small stacks": Variation({"OMP_STACKSIZE": "1M"}),
    "one CPU": Variation(cpus=1),
    "a CPU a thread": Variation(cpus=0),
    "ASLR": Variation(randomised=True),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """Identical probes of one case with one gauge."""

    case: Case
    gauge: Gauge
    variation: str
    readings: list[Reading] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def spread(self, metric: Metric) -> tuple[int, Phase, int]:
        """The largest distance of two net figures in bytes, its phase, and how many values there were."""
        return max((self._spread(metric, phase) for phase in JUDGED_PHASES), key=lambda found: found[0])

    def _spread(self, metric: Metric, phase: Phase) -> tuple[int, Phase, int]:
        values = [value for reading in self.readings if (value := reading.net(phase, metric)) is not None]
        if not values:
            return 0, phase, 0
        return max(values) - min(values), phase, len(set(values))

    @property
    def title(self) -> str:
        """The row's name."""
        return f"{self.case.id} {self.gauge}"


@click.command()
@click.option("--network", "networks", multiple=True, default=("mobilenet_v2", "googlenet"))
@click.option("--threads", multiple=True, type=int, default=(1, 2, 4), show_default=True)
@click.option("--gauge", "gauges", multiple=True, type=click.Choice([*_GAUGES]), default=_GAUGES)
@click.option("--vary", "variations", multiple=True, type=click.Choice(list(_VARIATIONS)))
@click.option("--probes", default=30, show_default=True)
@click.option("--hogs", default=0, show_default=True, help="processes that keep a CPU busy meanwhile")
@click.option("--loops", default=12, show_default=True, help="inferences at least")
@click.option("--ncnn", "name", default="installed", show_default=True)
@click.option("--models", type=click.Path(path_type=Path), default="models.yaml", show_default=True)
@click.option("--json", "target", type=click.Path(path_type=Path), help="every figure of every probe")
def main(
    networks: Sequence[str],
    threads: Sequence[int],
    gauges: Sequence[str],
    variations: Sequence[str],
    probes: int,
    hogs: int,
    loops: int,
    name: str,
    models: Path,
    target: Path | None,
) -> None:
    """Probe light and heavy cases of some networks again and again, and print how their figures differ."""
    known, cache = catalog.load(models), Cache(None)
    runtime = runtimes.resolve(name, cache.root)
    cells = [
        Cell(case, Gauge(gauge), variation)
        for case in _cases(known, networks, threads)
        for gauge in gauges
        for variation in variations or ["as measured"]
    ]
    files = {network: convert(known.network(network), cache) for network in networks}
    rest = Loops(minimum=loops)
    # Ctrl-C ends the probing, and what was read until then is told.
    with suppress(KeyboardInterrupt), running_hogs(hogs) as load:
        for cell in (cell for _ in range(probes) for cell in cells):
            job = Job(runtime, files[cell.case.network], cell.case.flags, cell.case.threads)
            conditions = Conditions.pinned()
            with _varied(_VARIATIONS[cell.variation], cell.case.threads):
                start = time.perf_counter()
                cell.readings.append(probe(cell.gauge, job, rest, conditions))
                cell.seconds.append(time.perf_counter() - start)
            load.check()
    if target is not None:
        target.write_text(json.dumps([_raw(cell) for cell in cells]))
    console = Console(width=max(Console().width, 150))
    console.print(_table(cells))
    average = f"{os.getloadavg()[0]:.1f}"
    count = min(len(cell.seconds) for cell in cells)
    console.print(f"ncnn {runtime.version}, {count} probes a row, {hogs} hogs, load {average} at the end")


def _cases(known: Catalog, networks: Sequence[str], threads: Sequence[int]) -> Iterator[Case]:
    always = [choice for axis in known.axes.values() for choice in axis.unvaried]
    for network in networks:
        for light in known.axes["lightmode"].choices.values():
            options = tuple(light if choice.axis == "lightmode" else choice for choice in always)
            for count in threads:
                yield Case(network, known.network(network).precision, options, count)


@contextmanager
def _varied(variation: Variation, threads: int) -> Iterator[None]:
    """The probe holds all of this fixed on purpose, so it is changed behind its back."""
    plain = controls.environment

    def environment(count: int, tunables: str | None) -> dict[str, str]:
        changed: dict[str, str | None] = {**plain(count, tunables), **variation.environment}
        # Of a tunable that is named twice, the C library takes the last.
        changed[_TUNABLES] = ":".join(filter(None, [changed.get(_TUNABLES), variation.tunable])) or None
        return {key: value for key, value in changed.items() if value is not None}

    before = os.sched_getaffinity(0)
    with ExitStack() as stack:
        stack.enter_context(patch.object(controls, "environment", environment))
        if variation.randomised:
            stack.enter_context(patch.object(process_status, "ADDR_NO_RANDOMIZE", 0))
        if variation.cpus is not None:
            os.sched_setaffinity(0, sorted(before)[: variation.cpus or threads])
            stack.callback(os.sched_setaffinity, 0, before)
        yield


def _raw(cell: Cell) -> dict[str, object]:
    """The cell's figures, for a closer look."""
    figures = [
        {f"{phase}.{metric}": size for phase, told in reading.phases.items() for metric, size in told.items()}
        | {"loops": reading.loops, "settled_at": reading.settled_at, "outcome": reading.outcome.kind}
        for reading in cell.readings
    ]
    return {
        "case": cell.case.id,
        "gauge": cell.gauge,
        "variation": cell.variation,
        "seconds": cell.seconds,
        "figures": figures,
    }


def _table(cells: Sequence[Cell]) -> Table:
    table = Table("case, gauge", "variation", "metric", "spread", "of", "in", "values", box=None)
    for title in ("median s", "p95", "max", "failed"):
        table.add_column(title, justify="right")
    for cell in cells:
        times = sorted(cell.seconds) or [0.0]
        clock = (statistics.median(times), times[int(0.95 * (len(times) - 1))], times[-1])
        failed = sum(1 for reading in cell.readings if not reading.outcome.ok)
        for metric in JUDGED[cell.gauge]:
            spread, phase, values = cell.spread(metric)
            size = max((reading.net_peak(metric) or 0 for reading in cell.readings), default=0)
            told = [cell.title, cell.variation, metric, quantity.size(spread), quantity.size(size), phase]
            table.add_row(*told, str(values), *(f"{second:.2f}" for second in clock), str(failed))
    return table


if __name__ == "__main__":
    main()
