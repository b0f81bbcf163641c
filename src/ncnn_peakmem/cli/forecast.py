"""`ncnn-peakmem forecast`: the heap peak of a network, told without running it."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from packaging.version import InvalidVersion, Version
from rich.console import Console

from ncnn_peakmem import forecast as foretold
from ncnn_peakmem import machine, param_file, runtimes
from ncnn_peakmem.case import Case
from ncnn_peakmem.cli.arguments import REGRESSED, CouldNotMeasure, json_option, told_as
from ncnn_peakmem.cli.display import show
from ncnn_peakmem.cli.model import Chosen, case_arguments
from ncnn_peakmem.cli.size import SizeParameter
from ncnn_peakmem.conversion import ConversionError
from ncnn_peakmem.forecast import LearnedError, Library, NotForecast
from ncnn_peakmem.forecast.learned import Learned
from ncnn_peakmem.forecast.learning import NotLearned
from ncnn_peakmem.forecast.lesson import teach, variants
from ncnn_peakmem.graph import GraphError
from ncnn_peakmem.network import ModelFiles
from ncnn_peakmem.probe import Job, ProbeEnded
from ncnn_peakmem.reports import forecast as report
from ncnn_peakmem.reports import quantity
from ncnn_peakmem.runtimes.release_list import named


class _Release(click.ParamType[Version]):
    """A release such as 1.0.20240820 or 20240820."""

    name = "release"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Version:
        try:
            return named(str(value))
        except InvalidVersion:
            self.fail(f"{value!r} is no release such as 1.0.20240820 or 20240820", param, ctx)


@click.command()
@case_arguments
@click.option(
    "--release",
    type=_Release(),
    help="Forecast for this release, installed or not [default: that of --ncnn].",
)
@click.option(
    "--limit",
    type=SizeParameter(),
    metavar="SIZE",
    help="Exit with 1 if the forecast is above it, such as 64MiB.",
)
@json_option()
@click.option(
    "--recipes",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of learned recipes, in place of those that come with ncnn-peakmem.",
)
@click.option("--learn", is_flag=True, help="Run the network in steps, and add its recipes to --recipes.")
def forecast(
    chosen: Chosen,
    case: Case,
    release: Version | None,
    limit: int | None,
    as_json: bool,
    recipes: Path | None,
    learn: bool,
) -> None:
    """Tell the heap peak of one NETWORK without running it: a name from models.yaml, an .onnx or a .param.

    ncnn is not even loaded, unless --learn asks for it. Flags of ncnn that are not given count as ncnn has
    them.
    """
    if learn and recipes is None:
        raise click.UsageError("--learn needs --recipes FOLDER: what comes with ncnn-peakmem stays as it is")
    if learn and release is not None:
        raise click.UsageError("--learn runs the ncnn that --ncnn names: leave --release out")
    library = Library(recipes) if recipes else Library()
    expected = (ConversionError, runtimes.RuntimeNotFound, GraphError, param_file.ParamFileError)
    failed = (LearnedError, NotForecast, NotLearned, ProbeEnded)
    with (
        Console(stderr=True).status("starting") as status,
        told_as(CouldNotMeasure, *expected, *failed),
    ):
        wanted = release or _release(chosen, status.update)
        model = chosen.files(status.update, wanted)
        if learn:
            build = runtimes.resolve(chosen.runtime, chosen.cache.root, status.update)
            status.update(f"learning from {case.network} on ncnn {build.title}")
            click.echo(_learn(chosen, case, model, build, library), err=True)
        setting = foretold.Setting(machine.detect(), wanted, case.flags, case.threads)
        told = foretold.predict(model, setting, chosen.network.loops, library)
    found = report.ForecastReport(case.id, str(setting.release), setting.machine.id, told)
    if as_json:
        click.echo(report.to_json(found), nl=False)
    else:
        show(report.render(found))
    if limit is not None and told.peak.bytes > limit:
        excess = quantity.difference(told.peak.bytes - limit)
        click.echo(f"{case.id} is forecast {excess} above the limit {quantity.size(limit)}", err=True)
        sys.exit(REGRESSED)


def _release(chosen: Chosen, progress: runtimes.Progress) -> Version:
    """The release that --ncnn names; one that is a plain version is not installed for that."""
    try:
        return named(chosen.runtime)
    except InvalidVersion:
        return runtimes.resolve(chosen.runtime, chosen.cache.root, progress).release


def _learn(chosen: Chosen, case: Case, model: ModelFiles, build: runtimes.Runtime, library: Library) -> str:
    """Trace the network, in light mode and without, and add its recipes to the library."""
    here = machine.detect()
    known = library.path(here.id, build.release).exists()
    learned = library.load(here.id, build.release) if known else Learned(here.id, build.release)
    for flags in variants(case.flags):
        job = Job(build, model, flags)
        learned = teach(learned, case.network, job, here, chosen.conditions)
    path = library.store(learned)
    return f"{len(learned.load)} recipes of loading and {len(learned.run)} of running are now in {path}"
