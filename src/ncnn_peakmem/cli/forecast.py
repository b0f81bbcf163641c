"""`ncnn-peakmem forecast`: the heap peak of a network, told without running it."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from packaging.version import InvalidVersion, Version
from rich.console import Console

from ncnn_peakmem import forecast as foretold
from ncnn_peakmem import machine, param_file, runtimes
from ncnn_peakmem.catalog.quantity import size
from ncnn_peakmem.cli.arguments import REGRESSED, CouldNotMeasure, told_as
from ncnn_peakmem.cli.model import Chosen, choose, model_arguments
from ncnn_peakmem.conversion import Cache, ConversionError, convert
from ncnn_peakmem.forecast import LearnedError, Library
from ncnn_peakmem.forecast.learned import Learned
from ncnn_peakmem.forecast.learning import NotLearned
from ncnn_peakmem.forecast.lesson import teach, variants
from ncnn_peakmem.graph import GraphError
from ncnn_peakmem.network import ModelFiles, Shape
from ncnn_peakmem.probe import Job, ProbeEnded
from ncnn_peakmem.reports import forecast as report
from ncnn_peakmem.reports import quantity
from ncnn_peakmem.runtimes.release_list import named

# A terminal tells its own width; a file or a pipe has room for a layer's name.
_WIDTH_OF_FILES = 110


class _Release(click.ParamType[Version]):
    """A release such as 1.0.20240820 or 20240820."""

    name = "release"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Version:
        try:
            return named(str(value))
        except InvalidVersion:
            self.fail(f"{value!r} is no release such as 1.0.20240820 or 20240820", param, ctx)


class _Size(click.ParamType[int]):
    """Bytes, such as 64MiB."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        try:
            return size(int(text) if text.isdigit() else text)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@model_arguments
@click.option(
    "--release",
    type=_Release(),
    help="Forecast for this release, installed or not [default: that of --ncnn].",
)
@click.option(
    "--limit", type=_Size(), metavar="SIZE", help="Exit with 1 if the forecast is above it, such as 64MiB."
)
@click.option("--json", "as_json", is_flag=True, help="For programs, on standard output.")
@click.option(
    "--recipes",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of learned recipes, in place of those that come with ncnn-peakmem.",
)
@click.option("--learn", is_flag=True, help="Run the network in steps, and add its recipes to --recipes.")
def forecast(
    network: str,
    models: Path,
    model_dir: Path | None,
    runtime: str,
    weights: Path | None,
    shapes: tuple[Shape, ...],
    threads: int,
    loops: int | None,
    cache_dir: Path | None,
    release: Version | None,
    limit: int | None,
    as_json: bool,
    recipes: Path | None,
    learn: bool,
    **flags: bool | None,
) -> None:
    """Tell the heap peak of one NETWORK without running it: a name from models.yaml, an .onnx or a .param.

    ncnn is not even loaded, unless --learn asks for it. Flags of ncnn that are not given count as ncnn has
    them.
    """
    chosen = choose(
        network,
        models,
        model_dir=model_dir,
        weights=weights,
        shapes=shapes,
        threads=threads,
        loops=loops,
        flags=flags,
    )
    if learn and recipes is None:
        raise click.UsageError("--learn needs --recipes FOLDER: what comes with ncnn-peakmem stays as it is")
    if learn and release is not None:
        raise click.UsageError("--learn runs the ncnn that --ncnn names: leave --release out")
    cache, library = Cache(cache_dir), Library(recipes) if recipes else Library()
    expected = (ConversionError, runtimes.RuntimeNotFound, GraphError, param_file.ParamFileError)
    failed = (LearnedError, NotLearned, ProbeEnded)
    with (
        Console(stderr=True).status("starting") as status,
        told_as(CouldNotMeasure, *expected, *failed),
    ):
        model = convert(chosen.network, cache, status.update)
        if learn:
            build = runtimes.resolve(runtime, cache.root, status.update)
            status.update(f"learning from {chosen.case.network} on ncnn {build.title}")
            click.echo(_learn(chosen, model, build, library), err=True)
        setting = foretold.Setting(
            machine.detect(), release or _release(runtime, cache, status.update), chosen.case.flags, threads
        )
        told = foretold.predict(model, setting, chosen.network.loops, library)
    found = report.ForecastReport(chosen.case.id, str(setting.release), setting.machine.id, told)
    if as_json:
        click.echo(report.to_json(found), nl=False)
    else:
        console = Console()
        console = console if console.is_terminal else Console(width=_WIDTH_OF_FILES)
        console.print(report.render(found))
    if limit is not None and told.peak.bytes > limit:
        excess = quantity.difference(told.peak.bytes - limit)
        click.echo(f"{chosen.case.id} is forecast {excess} above the limit {quantity.size(limit)}", err=True)
        sys.exit(REGRESSED)


def _release(runtime: str, cache: Cache, progress: runtimes.Progress) -> Version:
    """The release that --ncnn names; one that is a plain version is not installed for that."""
    try:
        return named(runtime)
    except InvalidVersion:
        return runtimes.resolve(runtime, cache.root, progress).release


def _learn(chosen: Chosen, model: ModelFiles, build: runtimes.Runtime, library: Library) -> str:
    """Trace the network, in light mode and without, and add its recipes to the library."""
    here = machine.detect()
    known = library.path(here.id, build.release).exists()
    learned = library.load(here.id, build.release) if known else Learned(here.id, build.release)
    for flags in variants(chosen.case.flags):
        job = Job(build, model, flags)
        learned = teach(learned, chosen.case.network, job, here, chosen.conditions)
    path = library.store(learned)
    return f"{len(learned.load)} recipes of loading and {len(learned.run)} of running are now in {path}"
