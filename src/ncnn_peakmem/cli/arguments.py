"""What several commands take on their command lines, and how they tell what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.network import Shape
from ncnn_peakmem.termination import TERMINATED, Terminated

REGRESSED = 1
COULD_NOT_MEASURE = 3
INTERRUPTED = 130

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class CouldNotMeasure(click.ClickException):
    """There is no figure to show; the text says why."""

    exit_code = COULD_NOT_MEASURE


class ShapeParameter(click.ParamType[Shape]):
    """A shape such as 1,3,224,224, batch first."""

    name = "shape"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Shape:
        """The shape as a tuple."""
        sizes = str(value).split(",")
        if not all(re.fullmatch(r"\s*[1-9]\d{0,8}\s*", size) for size in sizes):
            self.fail(f"{value!r} is no shape: give positive sizes such as 1,3,224,224", param, ctx)
        return tuple(int(size) for size in sizes)


def models_option() -> Decorator:
    """`--models FILE` and `--model-dir DIR`; the parameter `model_dir` is None where that is not given."""
    models = click.option(
        "--models",
        type=click.Path(path_type=Path),
        default="models.yaml",
        show_default=True,
        help="Where networks are named.",
    )
    model_dir = click.option(
        "--model-dir",
        type=click.Path(path_type=Path, file_okay=False),
        help="Where model files that it names may lie, besides its own folder.",
    )
    return lambda command: models(model_dir(command))


def runtime_option() -> Decorator:
    """`--ncnn BUILD`; the parameter is `runtime`."""
    return click.option(
        "--ncnn",
        "runtime",
        default="installed",
        show_default=True,
        help="ncnn build: installed, a release, a .whl file or a directory.",
    )


def cache_dir_option() -> Decorator:
    """`--cache-dir DIR`, None where the user's own cache folder is meant."""
    return click.option(
        "--cache-dir",
        type=click.Path(path_type=Path, file_okay=False),
        help="Where converted models and installed releases are kept.",
    )


def baseline_dir_option() -> Decorator:
    """`--baseline-dir DIR`."""
    return click.option(
        "--baseline-dir",
        type=click.Path(path_type=Path, file_okay=False),
        default="baselines",
        show_default=True,
        help="Where baselines are kept.",
    )


def gauge_option(*default: Gauge) -> Decorator:
    """`--gauge NAME`, more than once; the parameter `gauges` is a tuple of `Gauge`."""
    return click.option(
        "--gauge",
        "gauges",
        type=click.Choice(Gauge, case_sensitive=False),
        multiple=True,
        default=default or tuple(Gauge),
        show_default=", ".join(default or Gauge),
        help="What to read; may be given more than once.",
    )


def json_option() -> Decorator:
    """`--json`; the parameter is `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="For programs, on standard output.")


def check_folders(*files: Path | None) -> None:
    """`click.UsageError` where a file cannot be written for want of its folder: told before measuring."""
    for file in files:
        if file is not None and not file.absolute().parent.is_dir():
            raise click.UsageError(f"{file}: there is no such folder")


def noted(text: str) -> None:
    """Tell something that is to stay in sight, beside what is going on."""
    click.echo(text, err=True)


def stop_code(stop: KeyboardInterrupt) -> int:
    """The exit code after Ctrl-C or SIGTERM."""
    return TERMINATED if isinstance(stop, Terminated) else INTERRUPTED


def stop_word(stop: KeyboardInterrupt) -> str:
    """What happened, in a word."""
    return "terminated" if isinstance(stop, Terminated) else "interrupted"


@contextmanager
def told_as(kind: type[click.ClickException], *expected: type[Exception]) -> Iterator[None]:
    """Turn what the engine raises for people into what click shows them."""
    try:
        yield
    except expected as error:
        raise kind(str(error)) from error
