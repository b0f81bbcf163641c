"""Echoes: changes of the process's pages that the heap tells already. Pure."""

from __future__ import annotations

from ncnn_peakmem.history.change_point import ChangePoint
from ncnn_peakmem.history.timeline import Figure, History
from ncnn_peakmem.measurement import Gauge, Measurement, Metric, Phase, Reading
from ncnn_peakmem.tolerance import Tolerance

# Pages are whole, and not all that is asked for is touched: a tenth of a movement may be their own.
_OWN_SHARE = 10


def is_echo(change: ChangePoint, history: History, tolerance: Tolerance) -> bool:
    """Whether the heap moved by as much, to within the tolerance of the process's gauge or a tenth of it."""
    if change.figure.gauge is Gauge.HEAP:
        return False
    cases = {release.ncnn: release.cases.get(change.case) for release in history.releases}
    then = _in_heap(cases[change.since], change.figure)
    now = _in_heap(cases[change.release], change.figure)
    if then is None or now is None:
        return False
    allowed = max(tolerance.bytes_for(change.before), abs(now - then) // _OWN_SHARE)
    return abs(change.difference - (now - then)) <= allowed


def _in_heap(measurement: Measurement | None, figure: Figure) -> int | None:
    """The heap bytes that a figure of the process consists of."""
    reading = measurement.readings.get(Gauge.HEAP) if measurement else None
    if reading is None:
        return None
    match figure.metric:
        case Metric.VM_PEAK:
            return _highest_until(reading, figure.phase)
        case Metric.VM_HWM:
            return reading.net(figure.phase, Metric.PEAK) if figure.phase else reading.net_peak(Metric.PEAK)
        case _:
            return reading.net(figure.phase, Metric.LIVE) if figure.phase else None


def _highest_until(reading: Reading, last: Phase | None) -> int | None:
    """The highest heap peak of the phases up to one: VmPeak keeps its height when a phase ends."""
    order = list(Phase)
    until = order if last is None else order[: order.index(last) + 1]
    peaks = [reading.net(phase, Metric.PEAK) for phase in until]
    return max((peak for peak in peaks if peak is not None), default=None)
