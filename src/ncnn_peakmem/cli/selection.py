"""Which cases a command is about: a profile's, or those of them that patterns pick."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

import click

from ncnn_peakmem.case import Case
from ncnn_peakmem.catalog import Catalog
from ncnn_peakmem.cli.arguments import Decorator


def select(known: Catalog, profile: str | None, patterns: Sequence[str]) -> tuple[Case, ...]:
    """The profile's cases whose id any of the patterns matches (all where there is none).

    A pattern is an id, or one with `*` and `?` as in a shell. `click.UsageError` where a pattern picks
    nothing, `CatalogError` where there is no such profile.
    """
    name = profile or known.default_profile
    cases = known.cases(name)
    for pattern in patterns:
        if not any(fnmatchcase(case.id, pattern) for case in cases):
            close = get_close_matches(pattern, [case.id for case in cases], n=3, cutoff=0.5)
            hint = f"; did you mean {' or '.join(close)}?" if close else f", such as {cases[0].id}"
            raise click.UsageError(f"--case {pattern}: no case of profile {name} has such an id{hint}")
    return tuple(
        case for case in cases if not patterns or any(fnmatchcase(case.id, pattern) for pattern in patterns)
    )


def profile_option() -> Decorator:
    """`--profile NAME`, None where the catalog's default is meant."""
    return click.option("--profile", help="Profile of the models file [default: the file's default_profile].")


def case_option() -> Decorator:
    """`--case PATTERN`, more than once; the parameter is `patterns`."""
    return click.option(
        "--case",
        "patterns",
        multiple=True,
        metavar="PATTERN",
        help="A case's id, or a pattern with * and ?; may be given more than once.",
    )
