"""`ncnn-peakmem measure`: one network on one ncnn build."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from ncnn_peakmem import catalog, machine, runtimes
from ncnn_peakmem.case import Case, OptionChoice, Precision
from ncnn_peakmem.catalog import KNOWN_OPTIONS, CatalogError
from ncnn_peakmem.cli.arguments import (
    COULD_NOT_MEASURE,
    CouldNotMeasure,
    ShapeParameter,
    cache_dir_option,
    gauge_option,
    models_option,
    told_as,
)
from ncnn_peakmem.conversion import Cache, ConversionError, convert
from ncnn_peakmem.measurement import Gauge, Measurement, MeasurementSet
from ncnn_peakmem.network import Loops, NcnnFiles, Network, OnnxFile, Shape
from ncnn_peakmem.probe import Conditions
from ncnn_peakmem.reports import json_report
from ncnn_peakmem.reports.measurement_table import tables
from ncnn_peakmem.reports.run_report import RunReport
from ncnn_peakmem.run import read_gauges


def option_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command a pair of flags for every ncnn option: --lightmode and --no-lightmode."""
    for name in sorted(KNOWN_OPTIONS, reverse=True):
        flag = name.replace("_", "-")
        command = click.option(f"--{flag}/--no-{flag}", name, default=None)(command)
    return command


@click.command()
@click.argument("network")
@models_option()
@click.option(
    "--ncnn",
    "runtime",
    default="installed",
    show_default=True,
    help="ncnn build: installed, a release, a .whl file or a directory.",
)
@click.option(
    "--bin",
    "weights",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Weights of a .param; without any they are read as zeros.",
)
@click.option(
    "--input-shape",
    "shapes",
    type=ShapeParameter(),
    multiple=True,
    help="Shape of an input where the file does not tell it, such as 1,3,224,224.",
)
@click.option("--threads", type=click.IntRange(1, 1024), default=1, show_default=True)
@gauge_option()
@click.option("--loops", type=click.IntRange(1, 100_000), help="Inferences at least.")
@cache_dir_option()
@click.option("--json", "as_json", is_flag=True, help="For programs, on standard output.")
@option_flags
def measure(
    network: str,
    models: Path,
    runtime: str,
    weights: Path | None,
    shapes: tuple[Shape, ...],
    threads: int,
    gauges: tuple[Gauge, ...],
    loops: int | None,
    cache_dir: Path | None,
    as_json: bool,
    **flags: bool | None,
) -> None:
    """Measure one NETWORK: a name from models.yaml, an .onnx or a .param file.

    Flags of ncnn that are not given stay as ncnn has them.
    """
    console = Console(stderr=True)
    conditions = Conditions(cpu=min(os.sched_getaffinity(0)))
    if Path(network).suffix in {".onnx", ".param"}:
        found, precision = _from_file(Path(network), weights), Precision.FP32
    else:
        with told_as(click.UsageError, CatalogError):
            known = catalog.load(models)
            found, precision = known.network(network), known.precisions[network]
        conditions = replace(conditions, step_timeout_seconds=known.step_timeout_seconds)
    found = replace(
        found,
        input_shapes=shapes or found.input_shapes,
        loops=found.loops if loops is None else Loops(minimum=loops, maximum=max(loops, found.loops.maximum)),
    )
    case = Case(found.name, precision, _choices(flags), threads)
    cache = Cache(cache_dir)
    with (
        console.status("starting") as status,
        told_as(CouldNotMeasure, ConversionError, runtimes.RuntimeNotFound),
    ):
        build = runtimes.resolve(runtime, cache.root, status.update)
        model = convert(found, cache, status.update)
        status.update(f"measuring {case.id}")
        readings = read_gauges(gauges, build, case, model, found.loops, conditions)
    measurement = Measurement(case.id, model.digest, readings)
    if as_json:
        measured = MeasurementSet(build.version, machine.detect(), {case.id: measurement})
        click.echo(json_report.render(RunReport(measured)), nl=False)
    else:
        Console().print(tables(measurement))
    if not measurement.outcome.ok:
        sys.exit(COULD_NOT_MEASURE)


def _from_file(path: Path, weights: Path | None) -> Network:
    """A network that is a file; a .param takes the .bin beside it unless another one is named."""
    if not path.is_file():
        raise click.UsageError(f"{path}: no such file")
    name = re.sub(r"[^a-z0-9_]+", "_", path.stem.lower())
    if path.suffix == ".onnx":
        return Network(name, OnnxFile(path.resolve()))
    beside = path.with_suffix(".bin")
    weights = weights or (beside if beside.is_file() else None)
    if weights is None:
        click.echo(f"{path} has no .bin beside it: its weights are read as zeros", err=True)
    return Network(name, NcnnFiles(path.resolve(), weights.resolve() if weights else None))


def _choices(flags: dict[str, bool | None]) -> tuple[OptionChoice, ...]:
    """Every flag that was given, as an axis of its own."""
    return tuple(
        OptionChoice(name, name if value else f"no_{name}", {name: value})
        for name, value in sorted(flags.items())
        if value is not None
    )
