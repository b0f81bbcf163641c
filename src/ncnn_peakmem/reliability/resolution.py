"""The smallest growth that a gauge sees: held on purpose, and judged as the gate judges."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass

from ncnn_peakmem.baselines import Verdict, VerdictKind, judge
from ncnn_peakmem.measurement import JUDGED, Gauge, Measurement, Phase, Reading
from ncnn_peakmem.reliability.finding import State
from ncnn_peakmem.tolerance import LEAST_SEEN, Tolerances

SMALLEST, LARGEST = LEAST_SEEN, 4 << 20
"""The sizes in bytes between which a growth is looked for."""

GROWN_PHASES = (Phase.LOAD_MODEL, Phase.STEADY)
"""Where growth is put: what is loaded, and what appears only in looped inference."""

CONFIRMATIONS = 2


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a gauge sees of a buffer that is held from a phase on.

    `seen` is the smallest size, of those tried, that was judged `regressed` each time; None where even the
    largest was not. `tolerance` is what the gauge must overlook there, `stated` what it is to see. All in
    bytes. `control` is the verdict on a second reading of what holds nothing more.
    """

    gauge: Gauge
    phase: Phase
    tolerance: int
    stated: int
    seen: int | None
    control: VerdictKind = VerdictKind.SAME

    @property
    def quiet(self) -> bool:
        """Whether what holds nothing more is judged so; else a red verdict tells nothing of growth."""
        return self.control is VerdictKind.SAME

    @property
    def beyond(self) -> bool:
        """Whether more than the largest size that is tried would be needed to blame the gauge."""
        return self.stated > LARGEST

    @property
    def state(self) -> State:
        """Degraded where the gauge is blind to what it is to see, or sees what is not there."""
        as_stated = self.beyond or (self.seen is not None and self.seen <= self.stated)
        return State.OK if self.quiet and as_stated else State.DEGRADED


def resolve(
    gauge: Gauge,
    phase: Phase,
    control: Reading,
    again: Reading,
    tolerances: Tolerances,
    read: Callable[[int], Reading],
) -> Resolution:
    """Look for the smallest size that is seen, doubling it.

    `read` gives the reading of a build that holds so many bytes from `phase` on, of which `control` and
    `again` are readings without them. All must be complete. Nothing is read where it could tell nothing:
    where the control itself is not judged the same, and where all sizes are within the tolerance.
    """
    nets = [net for metric in JUDGED[gauge] if (net := control.net(phase, metric)) is not None]
    tolerance = tolerances[gauge].same_release
    overlooked, stated = tolerance.widest_for(nets), tolerance.certainly_seen(nets)

    def judged(reading: Reading) -> Verdict:
        now, then = (Measurement("specimen", "", {gauge: one}) for one in (reading, control))
        return judge(now, then, tolerances, same_release=True)

    def sees(size: int) -> bool:
        verdict = judged(read(size))
        return is_seen(phase, verdict.kind, {change.phase for change in verdict.changes if change.exceeds})

    alone = judged(again).kind
    size = SMALLEST
    while alone is VerdictKind.SAME and overlooked < LARGEST and size <= LARGEST:
        if sees(size) and all(sees(size) for _ in range(CONFIRMATIONS)):
            return Resolution(gauge, phase, overlooked, stated, size, alone)
        size *= 2
    return Resolution(gauge, phase, overlooked, stated, None, alone)


def is_seen(phase: Phase, verdict: VerdictKind, red: Container[Phase]) -> bool:
    """Whether growth from `phase` on is seen: red there, for noise in other phases is not it."""
    return verdict is VerdictKind.REGRESSED and phase in red
