"""`ncnn-peakmem anatomy`: where the bytes of one network's peak are."""

from __future__ import annotations

import json

import click
from rich.console import Console

from ncnn_peakmem import runtimes
from ncnn_peakmem.anatomy.bridge import bridge
from ncnn_peakmem.anatomy.dissection import dissect
from ncnn_peakmem.baselines import in_words
from ncnn_peakmem.case import Case
from ncnn_peakmem.cli.arguments import CouldNotMeasure, json_option, noted, told_as
from ncnn_peakmem.cli.display import show
from ncnn_peakmem.cli.model import Chosen, case_arguments
from ncnn_peakmem.conversion import ConversionError
from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.probe import Job, ProbeEnded
from ncnn_peakmem.reports import anatomy as report
from ncnn_peakmem.run import read_gauges


@click.command()
@case_arguments
@click.option("--all", "every_row", is_flag=True, help="Every layer, not only those that ask for most.")
@json_option()
def anatomy(chosen: Chosen, case: Case, every_row: bool, as_json: bool) -> None:
    """Split the peak of one NETWORK by layer and kind: a name from models.yaml, an .onnx or a .param file.

    It is measured with gauges heap and pages, then run once more layer by layer, with one thread.
    """
    with (
        Console(stderr=True).status("starting") as status,
        told_as(CouldNotMeasure, ConversionError, runtimes.RuntimeNotFound, ProbeEnded),
    ):
        build = runtimes.resolve(chosen.runtime, chosen.cache.root, status.update, note=noted)
        model = chosen.files(status.update, build.release)
        status.update(f"measuring {case.id}")
        gauges = (Gauge.HEAP, Gauge.PAGES)
        readings = read_gauges(gauges, build, case, model, chosen.network.loops, chosen.conditions)
        heap, pages = readings[Gauge.HEAP], readings[Gauge.PAGES]
        if not heap.outcome.ok:
            raise CouldNotMeasure(f"{case.id} {in_words(heap.outcome)}")
        status.update(f"running {case.id} layer by layer")
        dissection = dissect(Job(build, model, case.flags, case.threads), heap, chosen.conditions)
    steps = bridge(dissection.attribution.peak, dissection.rows, pages if pages.outcome.ok else None)
    found = report.AnatomyReport(case.id, build.title, dissection, steps)
    if as_json:
        click.echo(json.dumps(report.document(found), indent=2))
    else:
        show(report.render(found, every_row=every_row))
