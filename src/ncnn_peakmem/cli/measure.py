"""`ncnn-peakmem measure`: one network on one ncnn build."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from ncnn_peakmem import machine, runtimes
from ncnn_peakmem.cli.arguments import COULD_NOT_MEASURE, CouldNotMeasure, gauge_option, noted, told_as
from ncnn_peakmem.cli.model import choose, model_arguments
from ncnn_peakmem.conversion import Cache, ConversionError, convert
from ncnn_peakmem.measurement import Gauge, Measurement, MeasurementSet
from ncnn_peakmem.network import Shape
from ncnn_peakmem.reports import json_report
from ncnn_peakmem.reports.measurement_table import tables
from ncnn_peakmem.reports.run_report import RunReport
from ncnn_peakmem.run import read_gauges


@click.command()
@model_arguments
@gauge_option()
@click.option("--json", "as_json", is_flag=True, help="For programs, on standard output.")
def measure(
    network: str,
    models: Path,
    model_dir: Path | None,
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
    case = chosen.case
    cache = Cache(cache_dir)
    with (
        console.status("starting") as status,
        told_as(CouldNotMeasure, ConversionError, runtimes.RuntimeNotFound),
    ):
        build = runtimes.resolve(runtime, cache.root, status.update, note=noted)
        model = convert(chosen.network, cache, status.update)
        status.update(f"measuring {case.id}")
        readings = read_gauges(gauges, build, case, model, chosen.network.loops, chosen.conditions)
    measurement = Measurement(case.id, model.digest, readings)
    if as_json:
        measured = MeasurementSet(build.version, machine.detect(), {case.id: measurement})
        click.echo(json_report.render(RunReport(measured, title=build.title, digest=build.digest)), nl=False)
    else:
        Console().print(tables(measurement))
    if not measurement.outcome.ok:
        sys.exit(COULD_NOT_MEASURE)
