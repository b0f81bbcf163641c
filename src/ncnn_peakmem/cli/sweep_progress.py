"""How far a sweep is: a bar with the time left on a terminal, a line a release in a log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from ncnn_peakmem.history.progress import CaseBegun, CaseDone, Event, Note, ReleaseDone, Tally
from ncnn_peakmem.reports.quantity import counted

# Large and small networks take turns: only over a whole round of them is the pace even.
_PACE_SECONDS = 3600


class SweepProgress:
    """Listens to a sweep and shows how far it is; `tally` is what was last told."""

    def __init__(self, console: Console, bar: Progress | None = None) -> None:
        self.tally = Tally()
        self._console = console
        self._bar = bar
        self._task = None if bar is None else bar.add_task("starting", total=None)

    def __call__(self, event: Event) -> None:
        """Show an event."""
        match event:
            case Note(text, lasting):
                self._say(text) if lasting else self._describe(text)
            case CaseBegun(release, case, tally):
                self._describe(f"{release} {case}")
                self._count(tally)
            case CaseDone(tally=tally):
                self._count(tally)
            case ReleaseDone(release, own, tally, refusal):
                self._count(tally)
                if refusal:
                    self._say(f"{release}  left out: {refusal}")
                elif self._bar is None:
                    stored = f", {own.stored} stored before" if own.stored else ""
                    sum_ = f"{tally.measured} of {counted(tally.to_measure, 'case')}"
                    self._say(f"{release}  {own.measured} measured{stored}  ({sum_})")

    def tell(self, text: str) -> None:
        """Show what is going on before there is an event."""
        self._describe(text)

    def _say(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)

    def _describe(self, text: str) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=text)

    def _count(self, tally: Tally) -> None:
        self.tally = tally
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=tally.measured, total=tally.to_measure)


@contextmanager
def shown(console: Console) -> Iterator[SweepProgress]:
    """A listener that shows a sweep on the console for as long as the context lasts."""
    if not console.is_terminal:
        yield SweepProgress(console)
        return
    columns = (
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=console, transient=True, speed_estimate_period=_PACE_SECONDS) as bar:
        yield SweepProgress(console, bar)
