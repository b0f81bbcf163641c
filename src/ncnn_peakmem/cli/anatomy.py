"""`ncnn-peakmem anatomy`: where the bytes of one network's peak are."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from ncnn_peakmem import runtimes
from ncnn_peakmem.anatomy.bridge import bridge
from ncnn_peakmem.anatomy.dissection import dissect
from ncnn_peakmem.baselines import in_words
from ncnn_peakmem.cli.arguments import CouldNotMeasure, noted, told_as
from ncnn_peakmem.cli.model import choose, model_arguments
from ncnn_peakmem.conversion import Cache, ConversionError, convert
from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.network import Shape
from ncnn_peakmem.probe import Job, ProbeEnded
from ncnn_peakmem.reports import anatomy as report
from ncnn_peakmem.run import read_gauges

# A terminal tells its own width; a file or a pipe has room for a row of the layer table.
_WIDTH_OF_FILES = 110


@click.command()
@model_arguments
@click.option("--all", "every_row", is_flag=True, help="Every layer, not only those that ask for most.")
@click.option("--json", "as_json", is_flag=True, help="For programs, on standard output.")
def anatomy(
    network: str,
    models: Path,
    model_dir: Path | None,
    runtime: str,
    weights: Path | None,
    shapes: tuple[Shape, ...],
    threads: int,
    loops: int | None,
    cache_dir: Path | None,
    every_row: bool,
    as_json: bool,
    **flags: bool | None,
) -> None:
    """Split the peak of one NETWORK by layer and kind: a name from models.yaml, an .onnx or a .param file.

    It is measured with gauges heap and pages, then run once more layer by layer, with one thread.
    """
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
    case, cache = chosen.case, Cache(cache_dir)
    with (
        Console(stderr=True).status("starting") as status,
        told_as(CouldNotMeasure, ConversionError, runtimes.RuntimeNotFound, ProbeEnded),
    ):
        build = runtimes.resolve(runtime, cache.root, status.update, note=noted)
        model = convert(chosen.network, cache, status.update)
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
        console = Console()
        console = console if console.is_terminal else Console(width=_WIDTH_OF_FILES)
        console.print(report.render(found, every_row=every_row))
