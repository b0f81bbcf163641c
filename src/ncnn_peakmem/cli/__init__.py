"""`ncnn-peakmem`: the engine without pytest. One file a command.

Exit codes: 0 same or better (or measured), 1 regressed, 2 usage, 3 could not be measured, 130 interrupted.
"""

from __future__ import annotations

import traceback
from typing import Any

import click

from ncnn_peakmem import __version__
from ncnn_peakmem.cli.anatomy import anatomy
from ncnn_peakmem.cli.arguments import COULD_NOT_MEASURE, INTERRUPTED
from ncnn_peakmem.cli.bisect import bisect
from ncnn_peakmem.cli.compare import compare
from ncnn_peakmem.cli.forecast import forecast
from ncnn_peakmem.cli.history import history
from ncnn_peakmem.cli.measure import measure


class _Commands(click.Group):
    """Commands of which none ends with 1 for another reason than that something regressed."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; Python's own exit code for Ctrl-C and for whatever is unexpected would be 1."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception:  # noqa: BLE001
            traceback.print_exc()
            ctx.exit(COULD_NOT_MEASURE)


@click.group(cls=_Commands)
@click.version_option(__version__)
def main() -> None:
    """Peak memory of the ncnn inference engine: measured, judged, explained."""


for _command in (measure, compare, history, bisect, anatomy, forecast):
    main.add_command(_command)
