"""`ncnn-peakmem bisect`: the first release over a limit, or one build's answer to `git bisect run`."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import click
from packaging.version import Version
from rich.console import Console
from rich.status import Status

from ncnn_peakmem import catalog, runtimes
from ncnn_peakmem.baselines import BaselineError, BaselineStore
from ncnn_peakmem.case import Case
from ncnn_peakmem.catalog import Catalog, quantity
from ncnn_peakmem.cli.arguments import (
    CouldNotMeasure,
    baseline_dir_option,
    cache_dir_option,
    json_option,
    models_option,
    noted,
    told_as,
)
from ncnn_peakmem.cli.figure import Bench, CaseFigure
from ncnn_peakmem.cli.git_bisect import BAD, GOOD, JudgesForGit
from ncnn_peakmem.cli.size import SizeParameter
from ncnn_peakmem.conversion import Cache, ConversionError
from ncnn_peakmem.history.bisection import Bisection, NoChangeBetween, Sample
from ncnn_peakmem.history.bisection import bisect as bisect_releases
from ncnn_peakmem.measurement import JUDGED, JUDGED_PHASES, Gauge, Metric, Phase
from ncnn_peakmem.reports.bisection import document, judged, probe_line, verdict_lines
from ncnn_peakmem.reports.quantity import difference, size
from ncnn_peakmem.runtimes import RuntimeNotFound
from ncnn_peakmem.tolerance import Tolerance

_OTHER_TAGS = {"1.0.20260114": "20260113"}
"""The tags of ncnn from which wheels of another date were built."""


class _Threshold(click.ParamType[Tolerance]):
    """A size or a percentage."""

    name = "threshold"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Tolerance:
        """The threshold as a tolerance."""
        if not str(value).endswith("%"):
            return Tolerance(absolute=SizeParameter().convert(value, param, ctx))
        try:
            return Tolerance(relative=quantity.fraction(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command(cls=JudgesForGit)
@click.option("--good", metavar="NCNN", help="A release that is good; with --ncnn, any ncnn build.")
@click.option("--bad", metavar="RELEASE", help="A later release that is bad.")
@click.option("--ncnn", "build", metavar="BUILD", help="Judge this one: a .whl file, a directory, a release.")
@click.option("--case", "case_id", required=True, metavar="ID", help="A case of any profile, by its id.")
@click.option(
    "--gauge", type=click.Choice(Gauge, case_sensitive=False), default=Gauge.HEAP, show_default="heap"
)
@click.option(
    "--phase",
    type=click.Choice(JUDGED_PHASES, case_sensitive=False),
    help="The figure of one phase  [default: the largest of all].",
)
@click.option(
    "--metric",
    type=click.Choice(Metric, case_sensitive=False),
    help="Which number of the gauge  [default: its peak].",
)
@click.option(
    "--threshold",
    type=_Threshold(),
    metavar="SIZE|%",
    help="How much more than the good one is bad: 64KiB, 1%, bytes  [default: the gauge's tolerance].",
)
@click.option(
    "--limit", type=SizeParameter(), metavar="SIZE", help="With --ncnn, in place of --good: more is bad."
)
@click.option("--thorough", is_flag=True, help="Look at every release older than the first bad one.")
@click.option("--fresh", is_flag=True, help="Measure all, and use no baselines.")
@models_option()
@baseline_dir_option()
@cache_dir_option()
@json_option()
def bisect(
    good: str | None,
    bad: str | None,
    build: str | None,
    case_id: str,
    gauge: Gauge,
    phase: Phase | None,
    metric: Metric | None,
    threshold: Tolerance | None,
    limit: int | None,
    thorough: bool,
    fresh: bool,
    models: Path,
    model_dir: Path | None,
    baseline_dir: Path,
    cache_dir: Path | None,
    as_json: bool,
) -> None:
    """Find the first release that needs more memory (--good A --bad B).

    Or judge one build for `git bisect run` (--ncnn BUILD, with --limit or --good).

    Exit codes: 0 found, 2 usage (also: A is not good, B is not bad), 3 could not be measured. With --ncnn,
    those of git: 0 good, 1 bad, 125 cannot tell, whatever the reason.
    """
    if build is None and (good is None or bad is None or limit is not None):
        raise click.UsageError("give --good and --bad, or else --ncnn with --limit or --good")
    if build is not None and (bad is not None or (good is None) is (limit is None)):
        raise click.UsageError("with --ncnn give either --limit or --good, and no --bad")
    if threshold is not None and limit is not None:
        raise click.UsageError("--threshold is what may come on top of --good: it has no use with --limit")
    with told_as(click.UsageError, ValueError):
        known = catalog.load(models, model_dir)
        figure = CaseFigure(_case(known, case_id), gauge, phase, metric or JUDGED[gauge][0])
    case = figure.case
    tolerance = threshold or known.tolerances(case.network, case.threads)[gauge].between_releases
    store = None if fresh else BaselineStore(baseline_dir)
    with (
        Console(stderr=True).status("starting") as status,
        told_as(CouldNotMeasure, ConversionError, BaselineError, RuntimeNotFound),
    ):
        bench = Bench.set_up(figure, known, Cache(cache_dir), store, status.update)
        if build is not None:
            most = limit if limit is not None else _limit(_reference(bench, good or ""), tolerance)
            runtime = runtimes.resolve(build, bench.cache_folder, status.update, note=noted)
            _answer(bench.measure(runtime, runtime.title), most, figure, status, as_json=as_json)
        else:
            releases = _releases(bench, good or "", bad or "")
            _find(bench, releases, tolerance, status, thorough=thorough, as_json=as_json)


def _case(known: Catalog, case_id: str) -> Case:
    cases = {case.id: case for profile in known.profiles for case in known.cases(profile)}
    if case_id not in cases:
        close = get_close_matches(case_id, cases, n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(close)}?" if close else f", such as {next(iter(cases))}"
        raise click.UsageError(f"--case {case_id}: no profile has a case of that id{hint}")
    return cases[case_id]


def _limit(good: Sample, tolerance: Tolerance) -> int:
    """The most that is still good."""
    if good.bytes is None:
        raise CouldNotMeasure(f"ncnn {good.release} has no figure to start from: {good.cause}")
    return good.bytes + tolerance.bytes_for(good.bytes)


def _reference(bench: Bench, name: str) -> Sample:
    """The figure of a build that is known to be good."""
    runtime = runtimes.resolve(name, bench.cache_folder, bench.progress, note=noted)
    # A build of one's own may have the version of a release and yet other figures.
    stored = () if runtime.origin else bench.stored([runtime.version])
    return stored[0] if stored else bench.measure(runtime, runtime.title)


def _answer(
    sample: Sample, limit_bytes: int, figure: CaseFigure, status: Status, *, as_json: bool
) -> NoReturn:
    """Tell what one build takes, and git whether it is good."""
    if sample.bytes is None:
        raise CouldNotMeasure(f"ncnn {sample.release}: {sample.cause}")
    verdict, over = judged(sample, limit_bytes), sample.bytes - limit_bytes
    status.stop()
    if as_json:
        told = {"ncnn": sample.release, "bytes": sample.bytes, "limit": limit_bytes, "verdict": verdict}
        click.echo(json.dumps({**figure.document, **told}, indent=2))
    else:
        click.echo(f"{figure.title}   ncnn {sample.release}")
        click.echo(f"{verdict}: {size(sample.bytes)}, {difference(over)} to the limit of {size(limit_bytes)}")
    sys.exit(GOOD if sample.within(limit_bytes) else BAD)


def _releases(bench: Bench, good: str, bad: str) -> tuple[str, ...]:
    """Every release from the good one to the bad one."""
    known = runtimes.releases(bench.cache_folder, bench.progress)
    if known.note:
        noted(known.note)
    with told_as(click.UsageError, RuntimeNotFound):
        first, last = known.one(good), known.one(bad)
        if Version(first) >= Version(last):
            raise click.UsageError(f"--good {first} has to be older than --bad {last}")
        return known.select(f"{first}..{last}")


def _find(
    bench: Bench,
    releases: tuple[str, ...],
    tolerance: Tolerance,
    status: Status,
    *,
    thorough: bool,
    as_json: bool,
) -> None:
    """Search the releases, telling each as it is looked at, then what came of it."""

    def tell(*lines: str) -> None:
        status.stop()
        click.echo("\n".join(lines), err=as_json)
        status.start()

    def look(release: str) -> Sample:
        sample = bench.measure_release(release)
        tell(probe_line(sample, limit_bytes, "measured"))
        return sample

    stored = {sample.release: sample for sample in bench.stored(releases)}
    good = stored.get(releases[0]) or bench.measure_release(releases[0])
    limit_bytes = _limit(good, tolerance)
    tell(bench.figure.title, f"bad is what takes more than {size(limit_bytes)}")
    known = {good.release: good, **stored}
    for sample in known.values():
        tell(probe_line(sample, limit_bytes, "stored" if sample.release in stored else "measured"))
    try:
        found = bisect_releases(
            releases, look, limit_bytes, known=known.values(), tolerance=tolerance, thorough=thorough
        )
    except NoChangeBetween as error:
        raise _no_change(error) from error
    status.stop()
    if as_json:
        click.echo(json.dumps({**bench.figure.document, **document(found, frozenset(stored))}, indent=2))
    else:
        click.echo("\n".join(["", *verdict_lines(found), "", *_next_step(found, bench)]))


def _no_change(error: NoChangeBetween) -> click.ClickException:
    newest = error.newest
    if newest.bytes is None:
        return CouldNotMeasure(f"ncnn {newest.release} cannot be judged: {newest.cause}")
    return click.UsageError(
        f"{newest.release} is not bad: it takes {size(newest.bytes)}, the limit is {size(error.limit_bytes)} "
        f"and {error.oldest.release} takes {size(error.oldest.bytes or 0)}"
    )


def _next_step(found: Bisection, bench: Bench) -> Iterator[str]:
    """How to go on from releases to commits."""
    ends = (found.first_bad.release, found.last_good.release)
    tags = (_OTHER_TAGS.get(release, release.removeprefix("1.0.")) for release in ends)
    models = str(bench.known.path.resolve())
    flags = (*bench.figure.flags, "--limit", str(found.limit_bytes), "--models", models)
    yield "to find the commit, in a clone of ncnn, with bisect-step.sh from docs/bisect.md:"
    yield f"  git bisect start {shlex.join(tags)}"
    yield f"  git bisect run ../bisect-step.sh {shlex.join(flags)}"
