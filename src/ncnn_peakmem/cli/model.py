"""The model that a command is about, and the case to run of it: what the user says, and what comes of it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from packaging.version import Version

from ncnn_peakmem import catalog
from ncnn_peakmem.case import Case, OptionChoice, Precision
from ncnn_peakmem.catalog import KNOWN_OPTIONS, CatalogError
from ncnn_peakmem.cli.arguments import (
    Decorator,
    ShapeParameter,
    cache_dir_option,
    models_option,
    runtime_option,
    told_as,
)
from ncnn_peakmem.conversion import Cache, convert
from ncnn_peakmem.network import Loops, ModelFiles, NcnnFiles, Network, OnnxFile, Shape
from ncnn_peakmem.probe import Conditions


@dataclass(frozen=True, slots=True)
class Chosen:
    """A network to measure, on which build, under which conditions, and where converted files are kept."""

    network: Network
    precision: Precision
    runtime: str
    conditions: Conditions
    cache: Cache

    def files(self, progress: Callable[[str], None], release: Version | None) -> ModelFiles:
        """Its ncnn files, as `release` can read them; `ConversionError` where there are none to be had."""
        return convert(self.network, self.cache, progress, precision=self.precision, release=release)


def network_arguments(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command NETWORK and what tells how to measure it; its parameter is `chosen`, a `Chosen`.

    `click.UsageError` where there is no such network.
    """
    return _decorated(_with_network(command), *_NETWORK, *_MEASURING)


def case_arguments(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command `network_arguments` and one case of the network; its parameter `case` is a `Case`.

    They are `--precision`, `--threads`, and a pair of flags for every ncnn option: `--lightmode` and
    `--no-lightmode`.
    """
    return _decorated(
        _with_network(_with_case(command)), *_NETWORK, _PRECISION, _THREADS, *_MEASURING, *_OPTIONS
    )


_NETWORK = (
    click.argument("network"),
    models_option(),
    runtime_option(),
    click.option(
        "--bin",
        "weights",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="Weights of a .param; without any they are read as zeros.",
    ),
    click.option(
        "--input-shape",
        "shapes",
        type=ShapeParameter(),
        multiple=True,
        help="Shape of an input where the file does not tell it, such as 1,3,224,224.",
    ),
)
_THREADS = click.option("--threads", type=click.IntRange(1, 1024), default=1, show_default=True)
_MEASURING = (
    click.option("--loops", type=click.IntRange(1, 100_000), help="Inferences at least."),
    cache_dir_option(),
)
_PRECISION = click.option(
    "--precision",
    type=click.Choice(Precision, case_sensitive=False),
    help="How its weights are stored [default: as they are].",
)
_OPTIONS = tuple(
    click.option("--{0}/--no-{0}".format(name.replace("_", "-")), name, default=None)
    for name in sorted(KNOWN_OPTIONS)
)


def _decorated(command: Callable[..., None], *decorators: Decorator) -> Callable[..., None]:
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


def _with_network(command: Callable[..., None]) -> Callable[..., None]:
    """The command, run with what the arguments `_NETWORK` and `_MEASURING` stand for."""

    @functools.wraps(command)
    def run(
        *,
        network: str,
        models: Path,
        model_dir: Path | None,
        runtime: str,
        weights: Path | None,
        shapes: tuple[Shape, ...],
        loops: int | None,
        cache_dir: Path | None,
        **others: Any,
    ) -> None:
        conditions = Conditions.pinned()
        if Path(network).suffix in {".onnx", ".param"}:
            found = _from_file(Path(network), weights)
        else:
            with told_as(click.UsageError, CatalogError):
                known = catalog.load(models, model_dir)
                found = known.network(network)
            conditions = replace(conditions, step_timeout_seconds=known.step_timeout_seconds)
        if loops is not None:
            found = replace(found, loops=Loops(loops, max(loops, found.loops.maximum)))
        found = replace(found, input_shapes=shapes or found.input_shapes)
        command(chosen=Chosen(found, found.precision, runtime, conditions, Cache(cache_dir)), **others)

    return run


def _with_case(command: Callable[..., None]) -> Callable[..., None]:
    """The command, run with the case that `--threads` and the flags make of the network."""

    @functools.wraps(command)
    def run(*, chosen: Chosen, precision: Precision | None, threads: int, **others: Any) -> None:
        chosen = replace(chosen, precision=precision or chosen.precision)
        choices = _choices({name: others.pop(name) for name in KNOWN_OPTIONS})
        case = Case(chosen.network.name, chosen.precision, choices, threads)
        command(chosen=chosen, case=case, **others)

    return run


def _from_file(path: Path, weights: Path | None) -> Network:
    """A network that is a file; a .param takes the .bin beside it unless another one is named."""
    if not path.is_file():
        raise click.UsageError(f"{path}: no such file (nothing is downloaded: fetch it, and give its path)")
    name = re.sub(r"[^a-z0-9_]+", "_", path.stem.lower())[:64]
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
