"""`ncnn-peakmem campaign`: the gate's false alarms and misses, counted on this machine."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ncnn_peakmem import catalog, machine, runtimes, whole_file
from ncnn_peakmem.case import Case
from ncnn_peakmem.catalog import Catalog, CatalogError
from ncnn_peakmem.cli.arguments import (
    REGRESSED,
    CouldNotMeasure,
    cache_dir_option,
    check_folders,
    gauge_option,
    models_option,
    stop_code,
    stop_word,
    told_as,
)
from ncnn_peakmem.cli.selection import select
from ncnn_peakmem.conversion import Cache, ConversionError
from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.probe import Conditions
from ncnn_peakmem.reliability.campaign import (
    LOOPS,
    Campaign,
    CampaignError,
    DataFile,
    LoadEnded,
    Plan,
    Setting,
    Tally,
)
from ncnn_peakmem.reports import campaign as campaign_page
from ncnn_peakmem.reports.quantity import counted

_PROFILE = "full"
_IDENTICAL = ("*-light-half-q8-t1", "*-heavy-half-q8-t1", "*-heavy-single-plain-t1", "*-light-half-q8-t2")
# Those that take seconds a probe.
_SELDOM = ("vgg16-*", "resnet50-*", "densenet161-*")
# A small network (with two threads as well), a middling and a large one.
_INJECTED = (
    "mobilenet_v2-fp32-light-half-q8-t[12]",
    "mobilenet_v2-fp32-heavy-half-q8-t1",
    "resnet18-fp32-*-half-q8-t1",
    "alexnet-fp32-*-half-q8-t1",
)


@click.command()
@click.argument("data", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--profile", default=_PROFILE, show_default=True, help="Profile of the models file to take cases of."
)
@click.option(
    "--case",
    "identical",
    multiple=True,
    metavar="PATTERN",
    default=_IDENTICAL,
    show_default=True,
    help="Cases to measure again and again: an id, or a pattern with * and ?; may be given more than once.",
)
@click.option(
    "--inject",
    "injected",
    multiple=True,
    metavar="PATTERN",
    default=_INJECTED,
    show_default=True,
    help="Cases to inject growth into, likewise.",
)
@click.option(
    "--repeats",
    type=click.IntRange(0, 1000),
    default=6,
    show_default=True,
    help="Identical probes of a case with a gauge on a machine left alone, and as many on one kept busy.",
)
@click.option(
    "--seldom",
    multiple=True,
    metavar="PATTERN",
    default=_SELDOM,
    show_default=True,
    help="Cases to measure a third as often, for the time they take.",
)
@gauge_option()
@models_option()
@cache_dir_option()
@click.option("--stored", is_flag=True, help="Measure nothing: report what DATA has.")
@click.option(
    "--page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the tables to this file, as Markdown.",
)
def campaign(
    data: Path,
    profile: str,
    identical: tuple[str, ...],
    injected: tuple[str, ...],
    repeats: int,
    seldom: tuple[str, ...],
    gauges: tuple[Gauge, ...],
    models: Path,
    model_dir: Path | None,
    cache_dir: Path | None,
    stored: bool,
    page: Path | None,
) -> None:
    """Count false alarms over identical probes, half of them on a machine kept busy, and misses over growth.

    Every answer is added to DATA at once, as a line of JSON. After an interruption the same command goes on
    where it stopped.

    Exit codes: 0 no false alarm and no miss, 1 there are some, 2 usage, 3 could not measure, 130 interrupted.
    """
    check_folders(data, page)
    known_data = DataFile(data)
    with told_as(
        CouldNotMeasure, CampaignError, LoadEnded, ConversionError, runtimes.RuntimeNotFound, OSError
    ):
        if stored:
            record = known_data.read()
        else:
            with told_as(click.UsageError, CatalogError):
                known = catalog.load(models, model_dir)
                plan = _plan(
                    select(known, profile, identical),
                    select(known, profile, injected),
                    repeats,
                    seldom,
                    gauges,
                )
            with _going_on(data) as progress:
                record = _campaign(plan, known_data, known, Cache(cache_dir), progress).run()
        if record is None:
            raise CouldNotMeasure(f"{data} has nothing to report")
        tally = Tally(record)
        if page is not None:
            text = campaign_page.render(tally, data=str(data), page=str(page))
            whole_file.write(page, text.encode())
    click.echo(campaign_page.in_short(tally))
    if tally.false_alarms or tally.misses:
        sys.exit(REGRESSED)


def _plan(
    identical: tuple[Case, ...],
    injected: tuple[Case, ...],
    repeats: int,
    seldom: tuple[str, ...],
    gauges: tuple[Gauge, ...],
) -> Plan:
    slow = {case.id for case in identical if any(fnmatchcase(case.id, pattern) for pattern in seldom)}
    in_order = tuple(gauge for gauge in Gauge if gauge in gauges)
    return Plan(identical, injected, repeats, frozenset(slow), in_order)


def _campaign(plan: Plan, data: DataFile, known: Catalog, cache: Cache, progress: _Progress) -> Campaign:
    runtime = runtimes.installed()
    setting = Setting(runtime.version, machine.detect(), len(os.sched_getaffinity(0)), LOOPS, _kernel())
    conditions = Conditions.pinned(known.step_timeout_seconds)
    return Campaign(plan, data, setting, known, runtime, conditions, cache, progress)


def _kernel() -> str:
    """The kernel's version without what its builder added to it."""
    found = re.match(r"\d+(\.\d+)*", platform.release())
    return found.group() if found else ""


class _Progress:
    """A bar on a terminal, a line a block in a log; `place` is how far the campaign has come."""

    def __init__(self, bar: Progress | None) -> None:
        self.place = ""
        self._bar = bar
        self._task = None if bar is None else bar.add_task("starting", total=None)
        self._title = ""

    def __call__(self, done: int, planned: int, title: str) -> None:
        self.place = f"{done} of {counted(planned, 'probe')}"
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=planned, description=title)
        elif title != self._title:
            click.echo(f"{title}: {self.place} done", err=True)
        self._title = title


@contextmanager
def _going_on(data: Path) -> Iterator[_Progress]:
    """Show how far the campaign is; where it ends early, say what is kept and how to go on."""
    console = Console(stderr=True)
    columns = (
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    bar = Progress(*columns, console=console, transient=True) if console.is_terminal else None
    progress = _Progress(bar)
    try:
        if bar is None:
            yield progress
        else:
            with bar:
                yield progress
    except KeyboardInterrupt as stop:
        told = f" after {progress.place}" if progress.place else ""
        click.echo(
            f"\n{stop_word(stop)}{told}: what was judged is in {data}, "
            "and the same command goes on from there",
            err=True,
        )
        sys.exit(stop_code(stop))
