"""A network's history as a chart: peaks of loading and of looped inference, a line a folded case, as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from ncnn_peakmem.case import network_of
from ncnn_peakmem.history import Figure, Fold
from ncnn_peakmem.measurement import Gauge, Metric, Phase
from ncnn_peakmem.reports.history_report import HistoryReport

_PANELS = (
    ("heap peak while loading, MiB", Figure(Gauge.HEAP, Phase.LOAD_MODEL, Metric.PEAK)),
    ("heap peak of looped inference, MiB", Figure(Gauge.HEAP, Phase.STEADY, Metric.PEAK)),
)
# Told apart by the colour-blind as well (Okabe and Ito), and by their dashes.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
_DASHES = ("", "5 3", "2 2")
_TICKS = 4
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Plot:
    """A panel's rectangle, and where a release and a size lie in it."""

    left: float
    count: int
    most: float
    top: float = 34
    width: float = 370
    height: float = 180

    def x(self, place: int) -> float:
        return round(self.left + (place + 0.5) * self.width / self.count, 1)

    def y(self, mib: float) -> float:
        return round(self.top + self.height * (1 - mib / self.most), 1)

    @property
    def bottom(self) -> float:
        return self.top + self.height


def chart(report: HistoryReport, network: str) -> str:
    """The SVG of one network; both panels begin at zero and share their scale."""
    folds = [fold for fold in report.folds if network_of(fold.pattern) == network]
    lines = [[_mib(report, fold, figure) for fold in folds] for _, figure in _PANELS]
    highest = max((mib for panel in lines for line in panel for mib in line if mib is not None), default=1.0)
    versions = report.history.versions
    height = 290 + 18 * len(folds)
    size = f'viewBox="0 0 860 {height}" width="860" height="{height}"'
    font = 'font-family="sans-serif" font-size="11" fill="#333333"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>',
        f"<title>{escape(network)}: peaks of the heap by release of ncnn</title>",
        f'<rect width="860" height="{height}" fill="#ffffff"/>',
    ]
    for (title, _), panel, left in zip(_PANELS, lines, (50, 475), strict=True):
        plot = _Plot(left, len(versions), _round_up(highest))
        parts += _frame(plot, title, [report.release_name(version) for version in versions])
        parts += [part for number, line in enumerate(panel) for part in _line(plot, line, number)]
    parts += [part for number, fold in enumerate(folds) for part in _legend(fold, number)]
    return "\n".join([*parts, "</svg>", ""])


def _mib(report: HistoryReport, fold: Fold, figure: Figure) -> list[float | None]:
    points = report.history.series(fold.cases[0], figure).points
    return [None if point.bytes is None else point.bytes / _MIB for point in points]


def _round_up(most: float) -> float:
    """The next number that divides into ticks without many digits."""
    scale = 1.0
    while scale * 10 <= most:
        scale *= 10
    return next(step * scale for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if step * scale >= most)


def _frame(plot: _Plot, title: str, releases: Sequence[str]) -> Iterator[str]:
    yield f'<text x="{plot.left}" y="{plot.top - 14}" font-weight="bold">{escape(title)}</text>'
    for tick in range(_TICKS + 1):
        mib = plot.most * tick / _TICKS
        y = plot.y(mib)
        yield f'<path d="M{plot.left} {y}h{plot.width}" stroke="#dddddd"/>'
        yield f'<text x="{plot.left - 6}" y="{y + 4}" text-anchor="end">{mib:g}</text>'
    for place, release in enumerate(releases):
        x, y = plot.x(place) + 4, plot.bottom + 8
        turned = f'transform="rotate(-60 {x} {y})" text-anchor="end" font-size="9"'
        yield f'<text x="{x}" y="{y}" {turned}>{escape(release)}</text>'


def _line(plot: _Plot, line: Sequence[float | None], number: int) -> Iterator[str]:
    """A line that breaks off where a release has no figure, and a dot for each that has one."""
    points = [(plot.x(place), plot.y(mib)) for place, mib in enumerate(line) if mib is not None]
    steps: list[str] = []
    for place, mib in enumerate(line):
        if mib is not None:
            joined = place > 0 and line[place - 1] is not None
            steps.append(f"{'L' if joined else 'M'}{plot.x(place)} {plot.y(mib)}")
    yield f'<path d="{"".join(steps)}" fill="none" {_stroke(number)}/>'
    for x, y in points:
        yield f'<circle cx="{x}" cy="{y}" r="2.2" fill="{_COLOURS[number % len(_COLOURS)]}"/>'


def _legend(fold: Fold, number: int) -> Iterator[str]:
    y = 282 + 18 * number
    yield f'<path d="M50 {y - 4}h30" {_stroke(number)}/>'
    yield f'<text x="88" y="{y}">{escape(fold.pattern)}</text>'


def _stroke(number: int) -> str:
    dash = _DASHES[number % len(_DASHES)]
    return f'stroke="{_COLOURS[number % len(_COLOURS)]}" stroke-width="1.6" stroke-dasharray="{dash}"'
