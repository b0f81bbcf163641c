"""What commands show people on standard output."""

from __future__ import annotations

from rich.console import Console, RenderableType

# A terminal tells its own width; a file or a pipe has room for a row of the widest table.
_WIDTH_OF_FILES = 110


def show(page: RenderableType) -> None:
    """Print as wide as the terminal is, or 110 columns wide where there is none."""
    console = Console()
    console = console if console.is_terminal else Console(width=_WIDTH_OF_FILES)
    console.print(page)
