"""The model that a command is about, and the case to run of it: what the user says, and what comes of it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import click

from ncnn_peakmem import catalog
from ncnn_peakmem.case import Case, OptionChoice, Precision
from ncnn_peakmem.catalog import KNOWN_OPTIONS, CatalogError
from ncnn_peakmem.cli.arguments import ShapeParameter, cache_dir_option, models_option, told_as
from ncnn_peakmem.network import Loops, NcnnFiles, Network, OnnxFile, Shape
from ncnn_peakmem.probe import Conditions


@dataclass(frozen=True, slots=True)
class Chosen:
    """What to measure, and under which conditions."""

    network: Network
    case: Case
    conditions: Conditions


def choose(
    name: str,
    models: Path,
    *,
    model_dir: Path | None = None,
    weights: Path | None,
    shapes: tuple[Shape, ...],
    threads: int,
    loops: int | None,
    flags: dict[str, bool | None],
) -> Chosen:
    """The case that the arguments of `model_arguments` stand for; `click.UsageError` where there is none."""
    conditions = Conditions(cpu=min(os.sched_getaffinity(0)))
    if Path(name).suffix in {".onnx", ".param"}:
        found, precision = _from_file(Path(name), weights), Precision.FP32
    else:
        with told_as(click.UsageError, CatalogError):
            known = catalog.load(models, model_dir)
            found, precision = known.network(name), known.precisions[name]
        conditions = replace(conditions, step_timeout_seconds=known.step_timeout_seconds)
    found = replace(
        found,
        input_shapes=shapes or found.input_shapes,
        loops=found.loops if loops is None else Loops(minimum=loops, maximum=max(loops, found.loops.maximum)),
    )
    return Chosen(found, Case(found.name, precision, _choices(flags), threads), conditions)


def model_arguments(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command what `choose` takes, `--ncnn` (parameter `runtime`) and `--cache-dir`."""
    decorators = (
        click.argument("network"),
        models_option(),
        click.option(
            "--ncnn",
            "runtime",
            default="installed",
            show_default=True,
            help="ncnn build: installed, a release, a .whl file or a directory.",
        ),
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
        click.option("--threads", type=click.IntRange(1, 1024), default=1, show_default=True),
        click.option("--loops", type=click.IntRange(1, 100_000), help="Inferences at least."),
        cache_dir_option(),
    )
    command = _option_flags(command)
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


def _option_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command a pair of flags for every ncnn option: --lightmode and --no-lightmode."""
    for name in sorted(KNOWN_OPTIONS, reverse=True):
        flag = name.replace("_", "-")
        command = click.option(f"--{flag}/--no-{flag}", name, default=None)(command)
    return command


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
