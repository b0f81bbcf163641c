"""`ncnn-peakmem convert`: networks' ncnn files at each precision, made ahead or to be taken away."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click
from packaging.version import Version
from rich.console import Console

from ncnn_peakmem import catalog, conversion, runtimes, whole_file
from ncnn_peakmem.case import Precision
from ncnn_peakmem.catalog import CatalogError
from ncnn_peakmem.cli.arguments import (
    COULD_NOT_MEASURE,
    CouldNotMeasure,
    cache_dir_option,
    json_option,
    models_option,
    noted,
    runtime_option,
    told_as,
)
from ncnn_peakmem.cli.display import show
from ncnn_peakmem.conversion import Cache, ConversionError, quantization_report
from ncnn_peakmem.conversion.comparison import Likeness, compare
from ncnn_peakmem.network import ModelFiles, Network
from ncnn_peakmem.reports import conversion as report
from ncnn_peakmem.reports.conversion import Converted


@click.command()
@click.argument("names", metavar="[NETWORK]...", nargs=-1)
@models_option()
@click.option(
    "--precision",
    "precisions",
    type=click.Choice(Precision, case_sensitive=False),
    multiple=True,
    help="How to store weights; may be given more than once [default: all that can be made].",
)
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Copy the files there, as <network>-<precision>.param and .bin.",
)
@runtime_option()
@cache_dir_option()
@json_option()
def convert(
    names: tuple[str, ...],
    models: Path,
    model_dir: Path | None,
    precisions: tuple[Precision, ...],
    folder: Path | None,
    runtime: str,
    cache_dir: Path | None,
    as_json: bool,
) -> None:
    """Make the ncnn files of each NETWORK of models.yaml (of all, without a name) at each precision.

    They are kept in the cache, where measuring finds them. The cosine tells how near the outputs come to
    those of fp32, on inputs that no calibration has seen: the mean over the inputs, then the worst of them,
    then the mean for their differences from the mean output. Of several outputs it is the smallest.

    Matrix products (Gemm) become int8 where the ncnn that --ncnn names can read them.

    Exit codes: 0 all were made, 2 usage, 3 some could not be made.
    """
    with told_as(click.UsageError, CatalogError):
        known = catalog.load(models, model_dir)
        networks = [known.network(name) for name in names] or list(known.networks.values())
    with (
        Console(stderr=True).status("starting") as status,
        told_as(CouldNotMeasure, runtimes.RuntimeNotFound),
    ):
        cache = Cache(cache_dir)
        build = runtimes.resolve(runtime, cache.root, status.update, note=noted)
        desk = _Desk(cache, build.release, folder, status.update)
        rows = [row for network in networks for row in desk.rows(network, precisions)]
    if as_json:
        click.echo(json.dumps(report.document(rows), indent=2))
    else:
        show(report.render(rows))
    failures = [row.failure for row in rows if row.failure]
    for failure in failures:
        click.echo(failure, err=True)
    if failures:
        sys.exit(COULD_NOT_MEASURE)


@dataclass(frozen=True, slots=True)
class _Desk:
    """Where networks are converted, for a release; a `folder` gets copies of their files."""

    cache: Cache
    release: Version
    folder: Path | None
    progress: Callable[[str], None]

    def rows(self, network: Network, precisions: tuple[Precision, ...]) -> Iterator[Converted]:
        """What becomes of a network at each precision; what cannot be had does not stop the others."""
        possible = tuple(Precision) if network.has_fp32_weights else (network.precision,)
        for precision in precisions or possible:
            try:
                yield self._row(network, precision)
            except ConversionError as error:
                yield Converted(network.name, precision, failure=str(error))

    def _row(self, network: Network, precision: Precision) -> Converted:
        model = self._files(network, precision)
        if self.folder:
            _copy(model, self.folder / f"{network.name}-{precision}")
        done = quantization_report(model) if precision is Precision.INT8 else None
        return Converted(
            network.name,
            precision,
            param_bytes=model.param.stat().st_size,
            bin_bytes=model.bin.stat().st_size if model.bin else 0,
            quantized=len(done.quantized) if done else None,
            quantizable=len(done.quantized) + len(done.left) if done else None,
            likenesses=() if precision is network.precision else self._likenesses(network, model),
        )

    def _files(self, network: Network, precision: Precision) -> ModelFiles:
        return conversion.convert(
            network, self.cache, self.progress, precision=precision, release=self.release
        )

    def _likenesses(self, network: Network, model: ModelFiles) -> tuple[Likeness, ...]:
        fp32 = self._files(network, Precision.FP32)
        return compare(network.name, fp32, model, self.cache, self.progress)


def _copy(model: ModelFiles, stem: Path) -> None:
    """Put copies beside each other: who edits one must not edit what the cache holds."""
    for file in (model.param, model.bin):
        if file is None:
            continue
        place = stem.with_name(f"{stem.name}{file.suffix}")
        draft = place.with_name(f".{place.name}.{os.getpid()}")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, draft)
            draft.replace(place)
        except OSError as error:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise CouldNotMeasure(str(whole_file.not_written(place, error))) from error
