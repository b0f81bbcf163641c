"""`ncnn-peakmem history`: many cases on many releases, measured once each, and what changed between them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

import click
from rich.console import Console

from ncnn_peakmem import catalog, machine, runtimes, whole_file
from ncnn_peakmem.baselines import BaselineError, BaselineStore
from ncnn_peakmem.case import network_of, threads_of
from ncnn_peakmem.catalog import CatalogError
from ncnn_peakmem.cli.arguments import (
    COULD_NOT_MEASURE,
    CouldNotMeasure,
    baseline_dir_option,
    cache_dir_option,
    check_folders,
    gauge_option,
    models_option,
    stop_code,
    stop_word,
    told_as,
)
from ncnn_peakmem.cli.selection import case_option, profile_option, select
from ncnn_peakmem.cli.sweep_progress import SweepProgress, shown
from ncnn_peakmem.conversion import Cache
from ncnn_peakmem.history import History, load_causes
from ncnn_peakmem.history.crew import CrewLost
from ncnn_peakmem.history.progress import Note
from ncnn_peakmem.history.stored import stored_history, stored_machine
from ncnn_peakmem.history.sweep import Sweep
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import NO_MODEL, Gauge
from ncnn_peakmem.probe import Conditions
from ncnn_peakmem.reports import findings, history_json, history_table
from ncnn_peakmem.reports.history_report import HistoryReport
from ncnn_peakmem.reports.quantity import counted
from ncnn_peakmem.runtimes import Releases, RuntimeNotFound

_LOG_WIDTH = 120
_FILE = click.Path(path_type=Path, dir_okay=False, writable=True)


@click.command()
@click.option(
    "--releases",
    "names",
    metavar="WHICH",
    default="all",
    show_default=True,
    help="all, or names and ranges, comma separated: 20240410, latest, previous, A..B, A.., ..B.",
)
@profile_option()
@case_option()
@gauge_option(Gauge.HEAP, Gauge.PAGES)
@models_option()
@baseline_dir_option()
@cache_dir_option()
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Cases at a time.")
@click.option("--again", is_flag=True, help="Measure what is stored already once more.")
@click.option("--stored", is_flag=True, help="Measure nothing: report what is stored.")
@click.option("--machine", "machine_id", metavar="ID", help="With --stored: another machine class.")
@click.option("--verbose", "-v", is_flag=True, help="Show every figure that moved.")
@click.option("--json", "json_file", type=_FILE, help="Write everything to this file, for programs.")
@click.option(
    "--findings",
    "findings_file",
    type=_FILE,
    help="Write the findings to this file, as Markdown, and charts to a folder beside it.",
)
def history(
    names: str,
    profile: str | None,
    patterns: tuple[str, ...],
    gauges: tuple[Gauge, ...],
    models: Path,
    model_dir: Path | None,
    baseline_dir: Path,
    cache_dir: Path | None,
    workers: int,
    again: bool,
    stored: bool,
    machine_id: str | None,
    verbose: bool,
    json_file: Path | None,
    findings_file: Path | None,
) -> None:
    """Measure cases on every release of ncnn, and tell when their figures changed.

    What is measured is stored case by case, as baselines. After an interruption the same command goes on
    where it stopped.

    Exit codes: 0 done, 2 usage, 3 nothing could be measured, 130 interrupted, 143 terminated.
    """
    if machine_id is not None and not stored:
        raise click.UsageError("--machine goes with --stored: only this machine can be measured")
    if stored and again:
        raise click.UsageError("--stored measures nothing, --again measures all: give one of them")
    check_folders(json_file, findings_file)
    with told_as(click.UsageError, CatalogError):
        known = catalog.load(models, model_dir)
        cases = select(known, profile, patterns)
    store = BaselineStore(baseline_dir)
    with told_as(click.UsageError, BaselineError):
        here = _machine(store, machine_id, stored=stored)
        if stored:
            chosen = _stored_releases(store, here, names)
        else:
            cache = Cache(cache_dir)
            with _going_on(baseline_dir, again=again) as progress:
                chosen = _releases(names, cache, progress)
                _can_store(store, here)
                Sweep(
                    store=store,
                    machine=here,
                    networks=known.networks,
                    cases=cases,
                    gauges=frozenset(gauges),
                    conditions=Conditions(step_timeout_seconds=known.step_timeout_seconds),
                    cache=cache,
                    workers=workers,
                    again=again,
                    progress=progress,
                ).run(chosen, lambda name: runtimes.from_release(name, cache.root, progress.tell))
        found = stored_history(store, here, chosen, {case.id for case in cases}, gauges)
    if not found.releases:
        raise CouldNotMeasure(f"{baseline_dir} has nothing of these cases and releases for {here.id}")
    report = HistoryReport(
        found,
        lambda case: known.tolerances(network_of(case), threads_of(case)),
        tuple(gauge for gauge in Gauge if gauge in gauges),
    )
    # A log has no width of its own.
    Console(width=None if sys.stdout.isatty() else _LOG_WIDTH).print(
        history_table.tables(report, verbose=verbose)
    )
    with told_as(CouldNotMeasure, OSError):
        if json_file is not None:
            whole_file.write(json_file, history_json.render(report).encode())
        if findings_file is not None:
            _write_findings(report, findings_file)
    if not _has_models(found):
        sys.exit(COULD_NOT_MEASURE)


@contextmanager
def _going_on(folder: Path, *, again: bool) -> Iterator[SweepProgress]:
    """Show how far the sweep is; where it ends early, say what is kept and how to go on."""
    resumed = (
        "--again starts over: without it, what is stored is not measured once more"
        if again
        else "the same command goes on from there"
    )
    kept = f"what was measured is stored in {folder}, and {resumed}"
    try:
        with shown(Console(stderr=True)) as progress:
            yield progress
    except KeyboardInterrupt as stop:
        tally = progress.tally
        place = f" after {tally.measured} of {counted(tally.to_measure, 'case')}" if tally.to_measure else ""
        click.echo(f"\n{stop_word(stop)}{place}: {kept}", err=True)
        sys.exit(stop_code(stop))
    except (CrewLost, OSError) as error:
        told = f"{error}\n{kept}" if progress.tally.measured else str(error)
        raise CouldNotMeasure(told) from error


def _releases(names: str, cache: Cache, progress: SweepProgress) -> tuple[str, ...]:
    with told_as(CouldNotMeasure, RuntimeNotFound):
        known = runtimes.releases(cache.root, progress.tell)
    if known.note:
        progress(Note(known.note, lasting=True))
    with told_as(click.UsageError, RuntimeNotFound):
        return known.select(names)


def _can_store(store: BaselineStore, here: MachineClass) -> None:
    """Make the folder of this machine class: told now, not when the first case has been measured."""
    folder = store.folder / here.id
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise click.UsageError(
            f"nothing can be stored in {store.folder}: {error.strerror}; "
            "give --baseline-dir a folder that can be written to"
        ) from error


def _machine(store: BaselineStore, machine_id: str | None, *, stored: bool) -> MachineClass:
    """The class to tell of: the one named, else this machine's, or the only one stored if it has nothing."""
    if machine_id is None:
        here = machine.detect()
        known = store.machine_classes()
        if not stored or here.id in known or len(known) != 1:
            return here
        (machine_id,) = known
        click.echo(
            f"{store.folder} has nothing of this machine's class, {here.id}: "
            f"this is the only one stored, {machine_id}",
            err=True,
        )
    found = stored_machine(store, machine_id)
    if found is None:
        classes = "".join(f"\n  {name}" for name in store.machine_classes()) or " none"
        raise click.UsageError(f"{store.folder} has nothing of machine class {machine_id}; it has{classes}")
    return found


def _stored_releases(store: BaselineStore, here: MachineClass, names: str) -> tuple[str, ...]:
    versions = tuple(map(str, store.versions(here)))
    if not versions:
        others = "".join(f"\n  {name}" for name in store.machine_classes())
        hint = f"; --machine takes one of these:{others}" if others else ""
        raise CouldNotMeasure(f"{store.folder} has nothing of machine class {here.id}{hint}")
    try:
        return Releases(versions).select(names)
    except RuntimeNotFound as error:
        raise click.UsageError(f"{error}\nstored in {store.folder} are {', '.join(versions)}") from error


def _write_findings(report: HistoryReport, page: Path) -> None:
    """Write the page, and its charts into a folder of its name."""
    folder = page.with_name(page.stem if page.suffix else f"{page.name}-charts")
    whole_file.write(page, findings.render(report, load_causes(), chart_folder=folder.name).encode())
    for name, chart in findings.charts(report).items():
        folder.mkdir(exist_ok=True)
        whole_file.write(folder / name, chart.encode())


def _has_models(found: History) -> bool:
    """Whether any case could be run at all."""
    return any(case.model != NO_MODEL for release in found.releases for case in release.cases.values())
