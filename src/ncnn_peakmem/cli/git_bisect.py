"""The exit codes that `git bisect run` understands, and a command that never gives it a wrong one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from ncnn_peakmem.cli.arguments import INTERRUPTED

GOOD, BAD, CANNOT_TELL = 0, 1, 125
"""What git is told: the build is good, is bad, is to be skipped; from 128 on, to stop."""


class JudgesForGit(click.Command):
    """A command that, given `--ncnn` (its parameter `build`), exits with 1 only where that build is bad.

    git takes click's own codes for wrong usage (2) and for what is unexpected (1) for bad, too: both are
    answered with "cannot tell". An interrupt exits with 130, which stops git.
    """

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read the command line."""
        with _no_code_but_gits(any(argument.partition("=")[0] == "--ncnn" for argument in args)):
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _no_code_but_gits(ctx.params["build"] is not None):
            return super().invoke(ctx)


@contextmanager
def _no_code_but_gits(asked_by_git: bool) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except click.exceptions.Exit:
        raise
    except Exception as error:
        if not asked_by_git:
            raise
        # Whatever went wrong, it says nothing of the build.
        if isinstance(error, click.ClickException):
            error.show()
        else:
            click.echo(f"Error: {type(error).__name__}: {error}", err=True)
        sys.exit(CANNOT_TELL)
