"""`ncnn-peakmem compare`: two ncnn builds, or two files of figures, side by side."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from ncnn_peakmem import baselines, bounded_file, catalog, machine, runtimes, whole_file
from ncnn_peakmem.baselines import BaselineError, BaselineStore, VerdictKind
from ncnn_peakmem.budget import UNLIMITED
from ncnn_peakmem.case import Case, network_of, threads_of
from ncnn_peakmem.catalog import Catalog, CatalogError
from ncnn_peakmem.cli.arguments import (
    COULD_NOT_MEASURE,
    REGRESSED,
    CouldNotMeasure,
    cache_dir_option,
    check_folders,
    gauge_option,
    json_option,
    models_option,
    noted,
    told_as,
)
from ncnn_peakmem.cli.selection import case_option, profile_option, select
from ncnn_peakmem.conversion import Cache
from ncnn_peakmem.gate import Gate
from ncnn_peakmem.measurement import Gauge, MeasurementSet
from ncnn_peakmem.owned_folder import ScratchFolder
from ncnn_peakmem.probe import Conditions
from ncnn_peakmem.reports import RunReport, json_report, markdown, terminal
from ncnn_peakmem.run import Run
from ncnn_peakmem.tolerance import Tolerances

_MOST_FILE_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class _File:
    """Figures from a file, which is a baseline or a report of one build."""

    path: Path
    figures: MeasurementSet
    title: str = ""
    digest: str = ""

    def same_build(self, other: _File) -> bool:
        """Whether both are of one build, as far as the files tell: a baseline has the version alone."""
        same_version = self.figures.ncnn == other.figures.ncnn
        return same_version and (self.digest == other.digest or not (self.digest and other.digest))


@click.command()
@click.argument("old")
@click.argument("new")
@profile_option()
@case_option()
@gauge_option()
@models_option()
@cache_dir_option()
@click.option("--across-machines", is_flag=True, help="Compare files of two machine classes all the same.")
@click.option("--verbose", "-v", is_flag=True, help="Show the cases that stayed the same as well.")
@json_option()
@click.option(
    "--markdown",
    "markdown_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Append a summary to this file, as $GITHUB_STEP_SUMMARY wants it.",
)
def compare(
    old: str,
    new: str,
    profile: str | None,
    patterns: tuple[str, ...],
    gauges: tuple[Gauge, ...],
    models: Path,
    model_dir: Path | None,
    cache_dir: Path | None,
    across_machines: bool,
    verbose: bool,
    as_json: bool,
    markdown_file: Path | None,
) -> None:
    """Judge NEW against OLD.

    Both are ncnn builds (installed, a release, latest, previous, a .whl file, a directory), which are
    measured now, case by case side by side; or both are files: baselines, or results that --json wrote.

    Exit codes: 0 same or better, 1 regressed or over budget, 2 usage, 3 could not be measured or compared.
    """
    check_folders(markdown_file)
    with told_as(click.UsageError, CatalogError):
        known = catalog.load(models, model_dir)
        cases = select(known, profile, patterns)
    wanted = frozenset(case.id for case in cases) if profile or patterns else None
    if Path(old).suffix == ".json" and Path(new).suffix == ".json":
        report = _compare_files(_file(old), _file(new), known, wanted, frozenset(gauges), across_machines)
    elif ".json" in {Path(old).suffix, Path(new).suffix}:
        raise click.UsageError("compare two builds or two files, not one with the other")
    else:
        report = _compare_builds(old, new, known, cases, frozenset(gauges), cache_dir)
    if as_json:
        click.echo(json_report.render(report), nl=False)
    else:
        _show(report, verbose=verbose)
    if markdown_file is not None:
        with told_as(CouldNotMeasure, OSError):
            whole_file.append(markdown_file, markdown.render(report).encode(errors="replace"))
    sys.exit(_exit_code(report))


def _compare_builds(
    old: str,
    new: str,
    known: Catalog,
    cases: tuple[Case, ...],
    gauges: frozenset[Gauge],
    cache_dir: Path | None,
) -> RunReport:
    """Measure each case on both builds, one after the other, and judge."""
    cache = Cache(cache_dir)
    with (
        Console(stderr=True).status("starting") as status,
        ScratchFolder() as scratch,
        told_as(CouldNotMeasure, runtimes.RuntimeNotFound),
    ):
        # Each may be named in terms of the other, but not both.
        newer = runtimes.resolve(new, cache.root, status.update, note=noted)
        older = runtimes.resolve(old, cache.root, status.update, before=newer.release)
        conditions = Conditions.pinned(known.step_timeout_seconds)
        run = Run(scratch.path, newer, machine.detect(), gauges, conditions, cache, status.update)
        gate = Gate(run, known, BaselineStore(scratch.path / "none"), against=older)
        for number, case in enumerate(cases):
            status.update(f"{number} of {len(cases)} cases compared, now {case.id}")
            gate.judge(case)
        return RunReport(
            measured=run.measured(),
            verdicts=gate.verdicts(),
            title=newer.title,
            digest=newer.digest,
            baseline_note=gate.reference.note,
            models_file=known.path.name,
            axes=tuple(known.axes.values()),
        )


def _compare_files(
    old: _File,
    new: _File,
    known: Catalog,
    wanted: frozenset[str] | None,
    gauges: frozenset[Gauge],
    across_machines: bool,
) -> RunReport:
    here, there = new.figures.machine.id, old.figures.machine.id
    if here != there and not across_machines:
        raise click.UsageError(
            f"{old.path} is of machine class {there}\nand {new.path} of {here}:\n"
            "their figures differ by the machine. Add --across-machines to compare them all the same."
        )
    measured, stored = new.figures.only(wanted, gauges), old.figures.only(wanted, gauges)
    comparison = baselines.compare(
        measured,
        stored,
        lambda case: _tolerances(known, case),
        same_build=new.same_build(old),
        budgets=lambda case: known.budgets.get(network_of(case), UNLIMITED),
    )
    if not comparison.verdicts:
        asked = ", ".join(gauge for gauge in Gauge if gauge in gauges)
        raise CouldNotMeasure(f"{old.path} and {new.path} have no case in common that was read with {asked}")
    for path, lone in ((new.path, comparison.only_measured), (old.path, comparison.only_baseline)):
        if lone:
            click.echo(f"only in {path}: {', '.join(lone)}", err=True)
    note = str(old.path) if here == there else f"{old.path}, of machine class {there}"
    judged = {verdict.case for verdict in comparison.verdicts}
    cases = {case: found for case, found in measured.cases.items() if case in judged}
    return RunReport(
        measured=replace(measured, cases=cases),
        verdicts=comparison.verdicts,
        title=new.title,
        digest=new.digest,
        baseline_note=note,
        models_file=known.path.name,
        axes=tuple(known.axes.values()),
    )


def _tolerances(known: Catalog, case: str) -> Tolerances:
    """The tolerances of a case; of any other network where models.yaml no longer has this one."""
    network = network_of(case)
    name = network if network in known.networks else next(iter(known.networks))
    return known.tolerances(name, threads_of(case))


def _file(name: str) -> _File:
    path = Path(name)
    try:
        text = bounded_file.read(path, _MOST_FILE_BYTES)
    except bounded_file.UnreadableFile as error:
        raise click.UsageError(f"{path} {error}") from error
    try:
        is_report = "runs" in json.loads(text)
    except (ValueError, TypeError, RecursionError):
        is_report = False
    if not is_report:
        with told_as(click.UsageError, BaselineError):
            return _File(path, baselines.read(path))
    try:
        runs = json_report.parse(text)
    except ValueError as error:
        raise click.UsageError(f"{path}: {error}") from error
    if len(runs) != 1:
        builds = ", ".join(run.build for run in runs) or "none"
        raise click.UsageError(f"{path} has to hold the figures of one build (it has {builds})")
    return _File(path, runs[0].measured, runs[0].title, runs[0].digest)


def _show(report: RunReport, *, verbose: bool) -> None:
    console = Console(soft_wrap=True)
    for line in terminal.lines(report, verbose=verbose):
        console.print(Text(line.text, style=line.style.rich))


def _exit_code(report: RunReport) -> int:
    kinds = set(report.counts)
    if report.over_budget or kinds & {VerdictKind.REGRESSED, VerdictKind.BROKEN}:
        return REGRESSED
    return COULD_NOT_MEASURE if VerdictKind.NEW in kinds else 0
