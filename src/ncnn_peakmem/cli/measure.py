"""`ncnn-peakmem measure`: one network on one ncnn build."""

from __future__ import annotations

import sys

import click
from rich.console import Console

from ncnn_peakmem import machine, runtimes
from ncnn_peakmem.case import Case
from ncnn_peakmem.cli.arguments import (
    COULD_NOT_MEASURE,
    CouldNotMeasure,
    gauge_option,
    json_option,
    noted,
    told_as,
)
from ncnn_peakmem.cli.model import Chosen, case_arguments
from ncnn_peakmem.conversion import ConversionError
from ncnn_peakmem.measurement import Gauge, Measurement, MeasurementSet
from ncnn_peakmem.reports import json_report
from ncnn_peakmem.reports.measurement_table import tables
from ncnn_peakmem.reports.run_report import RunReport
from ncnn_peakmem.run import read_gauges


@click.command()
@case_arguments
@gauge_option()
@json_option()
def measure(chosen: Chosen, case: Case, gauges: tuple[Gauge, ...], as_json: bool) -> None:
    """Measure one NETWORK: a name from models.yaml, an .onnx or a .param file.

    Flags of ncnn that are not given stay as ncnn has them.
    """
    with (
        Console(stderr=True).status("starting") as status,
        told_as(CouldNotMeasure, ConversionError, runtimes.RuntimeNotFound),
    ):
        build = runtimes.resolve(chosen.runtime, chosen.cache.root, status.update, note=noted)
        model = chosen.files(status.update, build.release)
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
