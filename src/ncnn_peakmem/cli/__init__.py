"""`ncnn-peakmem`: the engine without pytest. One file a command.

Exit codes: 0 same or better (or measured), 1 regressed (`doctor`: figures are not as documented), 2 usage,
3 could not be measured, 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module
from typing import Any

import click

from ncnn_peakmem import __version__, whole_file
from ncnn_peakmem.cli.arguments import COULD_NOT_MEASURE, CouldNotMeasure, stop_code, stop_word
from ncnn_peakmem.termination import termination_raised

_COMMANDS = (
    "measure",
    "compare",
    "history",
    "bisect",
    "anatomy",
    "forecast",
    "advise",
    "convert",
    "campaign",
    "doctor",
)


class _Commands(click.Group):
    """Commands of which none ends with 1 for another reason than its answer.

    Each is the function of its file's name, and imported when it is asked for.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The commands in the order of their use."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"{__name__}.{cmd_name}"), cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; Python's own exit code for Ctrl-C and for whatever is unexpected would be 1."""
        try:
            with termination_raised():
                return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            click.echo(stop_word(stop), err=True)
            ctx.exit(stop_code(stop))
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:
            # Nobody reads on. Python would say so, with a code of its own, once it flushes what is left.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(COULD_NOT_MEASURE)
        except Exception as error:
            if isinstance(error, OSError) and whole_file.is_for_people(error):
                # Where, and why, is all there is to say.
                raise CouldNotMeasure(whole_file.in_words(error)) from error
            traceback.print_exc()
            ctx.exit(COULD_NOT_MEASURE)


@click.group(cls=_Commands)
@click.version_option(__version__)
def main() -> None:
    """Peak memory of the ncnn inference engine: measured, judged, explained."""
