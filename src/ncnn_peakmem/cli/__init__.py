"""`ncnn-peakmem`: the engine without pytest. One file a command.

Exit codes: 0 same or better (or measured), 1 regressed, 2 usage, 3 could not be measured.
"""

from __future__ import annotations

import click

from ncnn_peakmem import __version__
from ncnn_peakmem.cli.anatomy import anatomy
from ncnn_peakmem.cli.bisect import bisect
from ncnn_peakmem.cli.compare import compare
from ncnn_peakmem.cli.history import history
from ncnn_peakmem.cli.measure import measure


@click.group()
@click.version_option(__version__)
def main() -> None:
    """Peak memory of the ncnn inference engine: measured, judged, explained."""


for _command in (measure, compare, history, bisect, anatomy):
    main.add_command(_command)
