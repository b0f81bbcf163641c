"""`ncnn-peakmem doctor`: how far this machine's figures can be trusted."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from ncnn_peakmem import catalog, runtimes, whole_file
from ncnn_peakmem.catalog import CatalogError
from ncnn_peakmem.cli.arguments import (
    CouldNotMeasure,
    cache_dir_option,
    check_folders,
    models_option,
    noted,
    runtime_option,
    told_as,
)
from ncnn_peakmem.cli.display import show
from ncnn_peakmem.conversion import Cache
from ncnn_peakmem.owned_folder import ScratchFolder
from ncnn_peakmem.probe import ProbeEnded
from ncnn_peakmem.reliability import yardstick
from ncnn_peakmem.reliability.examination import Examination, NothingReads
from ncnn_peakmem.reliability.yardstick import Yardstick
from ncnn_peakmem.reports import doctor as report

NOT_TRUSTED = 1


@click.command()
@runtime_option()
@click.option(
    "--repeats",
    type=click.IntRange(2, 1000),
    default=5,
    show_default=True,
    help="Identical probes with each gauge.",
)
@models_option()
@cache_dir_option()
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write everything to this file, for programs; - is standard output.",
)
@click.pass_context
def doctor(
    context: click.Context,
    runtime: str,
    repeats: int,
    models: Path,
    model_dir: Path | None,
    cache_dir: Path | None,
    json_file: Path | None,
) -> None:
    """Examine this machine: which controls work, how much figures spread, and which growth is seen.

    Needs no network, no repository and no model. Tolerances are those of --models, or those that ncnn-peakmem
    comes with where there is no such file.

    Exit codes: 0 figures can be trusted as documented, 1 something is degraded or broken, 2 usage, 3 nothing
    could be measured.
    """
    to_terminal = json_file is None or str(json_file) != "-"
    if to_terminal:
        check_folders(json_file)
    named = context.get_parameter_source("models") is not click.core.ParameterSource.DEFAULT
    against = _yardstick(models, model_dir, named=named)
    with (
        Console(stderr=True).status("starting") as status,
        ScratchFolder() as scratch,
        told_as(CouldNotMeasure, runtimes.RuntimeNotFound, NothingReads, ProbeEnded),
    ):
        build = _build(runtime, cache_dir, status.update)
        diagnosis = Examination(build, against, repeats, scratch.path, status.update).run()
    document = report.to_json(diagnosis)
    if to_terminal:
        show(report.render(diagnosis))
        if json_file is not None:
            whole_file.write(json_file, document.encode())
    else:
        click.echo(document, nl=False)
    if not diagnosis.trusted:
        sys.exit(NOT_TRUSTED)


def _build(name: str, cache_dir: Path | None, progress: runtimes.Progress) -> runtimes.Runtime:
    """The build that --ncnn names; the installed one is found even where there is no cache to be had."""
    if name == "installed":
        return runtimes.installed()
    return runtimes.resolve(name, Cache(cache_dir).root, progress, note=noted)


def _yardstick(models: Path, model_dir: Path | None, *, named: bool) -> Yardstick:
    """The tolerances of the models file; of a file that nobody named it is no mistake to be another's."""
    if not named and not models.exists():
        return yardstick.USUAL
    try:
        return yardstick.from_catalog(catalog.load(models, model_dir))
    except CatalogError as error:
        if named:
            raise click.UsageError(str(error)) from error
        noted(f"{models} cannot be used, so tolerances are the usual ones: {error.mistakes[0]}")
        return yardstick.USUAL
