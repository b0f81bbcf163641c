"""`ncnn-peakmem advise`: which change brings a network's memory down, and what it costs in time."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ncnn_peakmem import catalog, machine, runtimes
from ncnn_peakmem.advice import (
    Advice,
    Advisor,
    Goal,
    NothingRuns,
    Place,
    Rounds,
    Space,
    Stretch,
    Workbench,
    foretelling,
)
from ncnn_peakmem.case import Precision
from ncnn_peakmem.catalog import Axis, Catalog, CatalogError, quantity
from ncnn_peakmem.cli.arguments import (
    REGRESSED,
    CouldNotMeasure,
    json_option,
    noted,
    stop_code,
    stop_word,
    told_as,
)
from ncnn_peakmem.cli.display import show
from ncnn_peakmem.cli.model import Chosen, network_arguments
from ncnn_peakmem.cli.size import SizeParameter
from ncnn_peakmem.conversion import ConversionError
from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.network import Network
from ncnn_peakmem.owned_folder import ScratchFolder
from ncnn_peakmem.reports import advice as report
from ncnn_peakmem.reports.quantity import counted

# In a checkout; an installed package has none beside it.
_SHIPPED = Path(__file__).parents[3] / "models.yaml"
# Under default malloc the noise is larger than what most options change.
_GAUGES = (Gauge.HEAP, Gauge.PAGES)


class _Threads(click.ParamType[tuple[int, ...]]):
    """Thread counts such as 1,2,4."""

    name = "counts"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        words = [word.strip() for word in str(value).split(",")]
        if not all(word.isdecimal() and 1 <= int(word) <= 1024 for word in words):
            self.fail(f"{value!r}: give thread counts from 1 to 1024, such as 1,2,4", param, ctx)
        return tuple(dict.fromkeys(map(int, words)))


class _Share(click.ParamType[float]):
    """A percentage such as 10%."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return quantity.fraction(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@network_arguments
@click.option(
    "--budget", type=SizeParameter(), metavar="SIZE", help="What the network may take, such as 64MiB or 64MB."
)
@click.option(
    "--gauge", type=click.Choice(_GAUGES, case_sensitive=False), default=Gauge.HEAP, show_default=True
)
@click.option(
    "--phase",
    "stretch",
    type=click.Choice(Stretch, case_sensitive=False),
    default=Stretch.PEAK,
    show_default=True,
    help="What is to be small: the peak over all phases, or over some.",
)
@click.option(
    "--precision",
    "precisions",
    type=click.Choice(Precision, case_sensitive=False),
    multiple=True,
    help="How weights may be stored; may be given more than once [default: all that can be made].",
)
@click.option(
    "--threads",
    type=_Threads(),
    default="1",
    show_default=True,
    help="Thread counts to compare, the usual one first, such as 1,2,4.",
)
@click.option(
    "--axes", metavar="NAMES", help="Axes of the models file to vary, comma separated [default: all]."
)
@click.option(
    "--max-latency-growth",
    "growth",
    type=_Share(),
    metavar="SHARE",
    help="How much longer an inference may take, such as 10%  [default: 5% without a budget, else no limit].",
)
@click.option(
    "--most", type=click.IntRange(1, 10_000), default=60, show_default=True, help="Setups to measure at most."
)
@click.option(
    "--rounds",
    type=click.IntRange(2, 1000),
    default=Rounds().each,
    show_default=True,
    help=f"Pairs of inferences to time in each of {Rounds().starts} pairs of processes.",
)
@click.option("--again", is_flag=True, help="Measure anew what is kept from an earlier call.")
@json_option()
def advise(
    chosen: Chosen,
    budget: int | None,
    gauge: Gauge,
    stretch: Stretch,
    precisions: tuple[Precision, ...],
    threads: tuple[int, ...],
    axes: str | None,
    growth: float | None,
    most: int,
    rounds: int,
    again: bool,
    as_json: bool,
) -> None:
    """Tell what to change so that one NETWORK takes less memory, and what that costs in time.

    Precisions, options and threads are compared with the default, by measuring. What was measured is kept:
    after an interruption the same command goes on where it stopped.

    Exit codes: 0 advice given, 1 nothing reaches the budget, or the answer was not confirmed, 2 usage,
    3 could not measure, 130 interrupted.
    """
    known = _catalog(click.get_current_context())
    space = Space(
        chosen.network.name,
        _precisions(chosen.network, precisions),
        threads,
        known.axes,
        _varied(known.axes, axes),
    )
    goal = Goal(gauge, stretch, budget, growth)
    with (
        _going_on(again=again) as progress,
        ScratchFolder() as scratch,
        told_as(CouldNotMeasure, ConversionError, runtimes.RuntimeNotFound, NothingRuns),
    ):
        build = runtimes.resolve(chosen.runtime, chosen.cache.root, progress.tell, note=noted)
        here = machine.detect()

        def bench(folder: Path) -> Workbench:
            return Workbench(
                folder,
                build,
                here,
                chosen.network,
                known.axes,
                gauge,
                chosen.conditions,
                chosen.cache,
                Rounds(each=rounds),
                progress.tell,
            )

        kept = bench(chosen.cache.root / "advice")
        if again:
            for precision in space.precisions:
                kept.forget(precision)
        found = Advisor(
            ncnn=build.title,
            machine=here,
            space=space,
            goal=goal,
            bench=kept,
            fresh=bench(scratch.path),
            foretell=foretelling(space, kept.model, build, here, chosen.network.loops),
            most=most,
            progress=progress,
        ).run()
    _tell(found, as_json=as_json)
    if not found.reached:
        sys.exit(REGRESSED)


def _tell(found: Advice, *, as_json: bool) -> None:
    if as_json:
        click.echo(report.to_json(found), nl=False)
    else:
        show(report.render(found))


def _catalog(context: click.Context) -> Catalog:
    """Where the axes are: the file that --models names, the one beside a model file, or the shipped one."""
    models: Path = context.params["models"]
    network = Path(context.params["network"])
    places = [models]
    if context.get_parameter_source("models") is click.core.ParameterSource.DEFAULT and network.suffix:
        places = [network.with_name("models.yaml"), models, _SHIPPED]
    place = next((place for place in places if place.is_file()), models)
    if network.suffix and not place.exists():
        raise click.UsageError(
            f"{place}: no such file. The options to vary are the axes of a models file: name one with "
            f"--models FILE, or put it beside {network} as models.yaml"
        )
    with told_as(click.UsageError, CatalogError):
        return catalog.load(place, context.params["model_dir"])


def _precisions(network: Network, wanted: tuple[Precision, ...]) -> tuple[Precision, ...]:
    """Those to compare, the network's own first: of weights that are not fp32 no others can be made."""
    own = network.precision
    possible = tuple(Precision) if network.has_fp32_weights else (own,)
    for precision in wanted:
        if precision not in possible:
            why = "it has none" if own is Precision.FP32 else f"its weights are {own}"
            raise click.UsageError(f"--precision {precision}: no such weights can be made, for {why}")
    return tuple(one for one in possible if not wanted or one in wanted)


def _varied(axes: Mapping[str, Axis], names: str | None) -> tuple[str, ...]:
    if names is None:
        return tuple(axes)
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in axes:
            close = get_close_matches(name, axes, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(axes)}"
            raise click.UsageError(f"--axes: no axis {name!r}; {hint}")
    return tuple(name for name in axes if name in wanted)


class _Progress:
    """A bar on a terminal, a line a setup in a log; `place` is how far the search has come."""

    def __init__(self, bar: Progress | None) -> None:
        self.place: Place | None = None
        self._bar = bar
        self._task = None if bar is None else bar.add_task("starting", total=None)

    def __call__(self, place: Place) -> None:
        self.place = place
        if self._bar is not None and self._task is not None:
            told = f"{place.now} (at most {place.most})"
            self._bar.update(self._task, completed=place.done, total=place.planned, description=told)
        else:
            told = f"{place.done} of {place.planned} measured (at most {place.most}): {place.now}"
            click.echo(told, err=True)

    def tell(self, text: str) -> None:
        """Show what is going on besides."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=text)


@contextmanager
def _going_on(*, again: bool) -> Iterator[_Progress]:
    """Show how far the search is; where it ends early, say what is kept and how to go on."""
    console = Console(stderr=True)
    columns = (BarColumn(bar_width=20), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    bar = Progress(*columns, console=console, transient=True) if console.is_terminal else None
    progress = _Progress(bar)
    try:
        if bar is None:
            yield progress
        else:
            with bar:
                yield progress
    except KeyboardInterrupt as stop:
        place = progress.place
        told = f" after {counted(place.done, 'setup')}" if place else ""
        same = "the same command without --again" if again else "the same command"
        click.echo(f"\n{stop_word(stop)}{told}: what was measured is kept, and {same} goes on", err=True)
        sys.exit(stop_code(stop))
