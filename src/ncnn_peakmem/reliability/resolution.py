"""The smallest growth that a gauge sees: held on purpose, and judged as the gate judges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ncnn_peakmem.baselines import VerdictKind, judge
from ncnn_peakmem.measurement import JUDGED, Gauge, Measurement, Phase, Reading
from ncnn_peakmem.reliability.finding import State
from ncnn_peakmem.tolerance import Tolerances

SMALLEST, LARGEST = 512, 4 << 20
"""The sizes in bytes between which a growth is looked for."""

PHASES = (Phase.LOAD_MODEL, Phase.STEADY)
"""Where growth is put: what is loaded, and what appears only in looped inference."""

CONFIRMATIONS = 2


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a gauge sees of a buffer that is held from a phase on.

    `seen` is the smallest size, of those tried, that was judged `regressed` each time; None where even the
    largest was not. `tolerance` is what the gauge must overlook there. All in bytes.
    """

    gauge: Gauge
    phase: Phase
    tolerance: int
    seen: int | None

    @property
    def stated(self) -> int:
        """What the gauge is to see: twice its tolerance, for malloc may have a part of a growth at hand."""
        return max(SMALLEST, 2 * self.tolerance)

    @property
    def state(self) -> State:
        """Degraded where the gauge is blind to what it is to see."""
        needless = self.stated > LARGEST
        return State.OK if needless or (self.seen or LARGEST + 1) <= self.stated else State.DEGRADED


def resolve(
    gauge: Gauge, phase: Phase, control: Reading, tolerances: Tolerances, read: Callable[[int], Reading]
) -> Resolution:
    """Look for the smallest size that is seen, doubling it.

    `read` gives the reading of a build that holds so many bytes from `phase` on, of which `control` is a
    reading without them.
    """
    nets = [net for metric in JUDGED[gauge] if (net := control.net(phase, metric)) is not None]
    tolerance = min(tolerances[gauge].same_release.bytes_for(net) for net in nets)

    def sees(size: int) -> bool:
        return _regressed(gauge, phase, read(size), control, tolerances)

    size = SMALLEST
    while size <= LARGEST:
        if sees(size) and all(sees(size) for _ in range(CONFIRMATIONS)):
            return Resolution(gauge, phase, tolerance, size)
        size *= 2
    return Resolution(gauge, phase, tolerance, None)


def _regressed(
    gauge: Gauge, phase: Phase, measured: Reading, control: Reading, tolerances: Tolerances
) -> bool:
    """Whether the gate would go red, and in the phase that grew: noise elsewhere is nothing seen."""
    now, then = (Measurement("specimen", "", {gauge: reading}) for reading in (measured, control))
    verdict = judge(now, then, tolerances, same_release=True)
    there = any(change.exceeds and change.phase is phase for change in verdict.changes)
    return there and verdict.kind is VerdictKind.REGRESSED
