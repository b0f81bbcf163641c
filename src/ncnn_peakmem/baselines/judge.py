"""The rules by which a measurement is judged against its baseline. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ncnn_peakmem.baselines.verdict import Change, Verdict, VerdictKind, in_words
from ncnn_peakmem.measurement import (
    JUDGED,
    JUDGED_PHASES,
    NO_MODEL,
    Gauge,
    Measurement,
    Metric,
    Outcome,
    OutcomeKind,
    Phase,
    Reading,
)
from ncnn_peakmem.tolerance import Tolerance, Tolerances

# From "refused before it cost anything" to "nothing can be said about the process any more". A timeout is
# milder than running out of memory: it may be the machine's fault, and no other process had to suffer.
_HARM = (
    OutcomeKind.OK,
    OutcomeKind.UNSUPPORTED,
    OutcomeKind.FAILED,
    OutcomeKind.TIMED_OUT,
    OutcomeKind.OUT_OF_MEMORY,
    OutcomeKind.CRASHED,
)


def judge(
    measured: Measurement,
    baseline: Measurement | None,
    tolerances: Tolerances,
    *,
    same_release: bool,
    missing: str = "no baseline",
) -> Verdict:
    """Compare the gauges that were measured with the baseline's; the gravest finding is the verdict.

    `missing` says why there is no baseline where there is none.
    """
    if not measured.readings:
        return Verdict(measured.case, VerdictKind.BROKEN, "nothing was measured")
    if baseline is None:
        return _new(measured, missing)
    if measured.model == NO_MODEL != baseline.model:
        return Verdict(measured.case, VerdictKind.BROKEN, in_words(measured.outcome))
    if measured.model != baseline.model:
        another = "the converted model differs from the baseline's (another pnnx, builder or file)"
        return _new(measured, another)
    findings: list[_Finding] = []
    for gauge in (gauge for gauge in Gauge if gauge in measured.readings):
        limits = tolerances[gauge]
        tolerance = limits.same_release if same_release else limits.between_releases
        findings.append(_find(gauge, measured.readings[gauge], baseline.readings.get(gauge), tolerance))
    return Verdict(
        case=measured.case,
        kind=max((finding.kind for finding in findings), key=lambda kind: kind.severity),
        reason="; ".join(finding.reason for finding in findings if finding.reason),
        changes=tuple(change for finding in findings for change in finding.changes),
        peaks=tuple(finding.peak for finding in findings if finding.peak),
    )


def fails_anew(measured: Measurement, stored: Measurement | None) -> bool:
    """Whether a gauge fails that has figures in what is stored."""
    before = stored.readings if stored is not None else {}
    failing = [gauge for gauge, reading in measured.readings.items() if not reading.outcome.ok]
    return any(gauge in before and before[gauge].outcome.ok for gauge in failing)


@dataclass(frozen=True, slots=True)
class _Finding:
    """What one gauge says of a case."""

    kind: VerdictKind
    reason: str = ""
    changes: tuple[Change, ...] = ()
    peak: Change | None = None


def _new(measured: Measurement, reason: str) -> Verdict:
    """A case that cannot be compared; how its probes ended still matters to whoever accepts it."""
    ends = [f"{gauge} {in_words(r.outcome)}" for gauge, r in measured.readings.items() if not r.outcome.ok]
    return Verdict(measured.case, VerdictKind.NEW, "; ".join([reason, *ends]))


def _find(gauge: Gauge, measured: Reading, baseline: Reading | None, tolerance: Tolerance) -> _Finding:
    if baseline is None:
        end = "" if measured.outcome.ok else f" ({in_words(measured.outcome)})"
        return _Finding(VerdictKind.NEW, f"{gauge}{end} is not in the baseline")
    compared = tuple(_compared(gauge, measured, baseline, tolerance))
    changes = tuple(change for change in compared if change.exceeds or change.improves)
    if measured.outcome.ok and baseline.outcome.ok:
        kind, reason = _weigh_gaps(gauge, measured, baseline)
    else:
        kind, reason = _weigh_outcome(gauge, measured.outcome, baseline.outcome)
    kind = max(kind, _weigh(changes), key=lambda kind: kind.severity)
    return _Finding(kind, reason, changes, _peak(gauge, compared, tolerance))


def _compared(gauge: Gauge, measured: Reading, baseline: Reading, tolerance: Tolerance) -> Iterator[Change]:
    """Every figure that both sides have."""
    for phase, metric in _figures(gauge):
        now, then = measured.net(phase, metric), baseline.net(phase, metric)
        if now is not None and then is not None:
            yield Change(gauge, phase, metric, now, then, tolerance.bytes_for(then))


def _figures(gauge: Gauge) -> Iterator[tuple[Phase, Metric]]:
    return ((phase, metric) for phase in JUDGED_PHASES for metric in JUDGED[gauge])


def _weigh(changes: tuple[Change, ...]) -> VerdictKind:
    if any(change.exceeds for change in changes):
        return VerdictKind.REGRESSED
    return VerdictKind.IMPROVED if changes else VerdictKind.SAME


def _weigh_outcome(gauge: Gauge, measured: Outcome, baseline: Outcome) -> tuple[VerdictKind, str]:
    now, then = f"{gauge} {in_words(measured)}", in_words(baseline)
    harm = _harm_beyond(measured, baseline)
    if harm == 0:
        return VerdictKind.SAME, f"{now}, as in the baseline"
    return (VerdictKind.BROKEN if harm > 0 else VerdictKind.IMPROVED), f"{now}; the baseline: {then}"


def _harm_beyond(measured: Outcome, baseline: Outcome) -> int:
    """Positive if `measured` is the worse end, negative if it is the better one.

    Of two ends of one kind the earlier is worse, because less of the network can be used.
    """
    harm = _HARM.index(measured.kind) - _HARM.index(baseline.kind)
    if harm or not (measured.phase and baseline.phase):
        return harm
    order = list(Phase)
    return order.index(baseline.phase) - order.index(measured.phase)


def _weigh_gaps(gauge: Gauge, measured: Reading, baseline: Reading) -> tuple[VerdictKind, str]:
    """Figures that only one of two complete readings has: to pass over them would hide what is not judged."""
    for phase, metric in _figures(gauge):
        now, then = measured.gross(phase, metric), baseline.gross(phase, metric)
        if (now is None) != (then is None):
            lack = "was not measured, but is in the baseline" if now is None else "is not in the baseline"
            return VerdictKind.NEW, f"{gauge} {phase} {metric} {lack}"
    return VerdictKind.SAME, ""


def _peak(gauge: Gauge, compared: tuple[Change, ...], tolerance: Tolerance) -> Change | None:
    """The gauge's overall peak over the phases that both sides reached."""
    metric = JUDGED[gauge][0]
    candidates = [change for change in compared if change.metric is metric]
    if not candidates:
        return None
    then = max(change.baseline for change in candidates)
    top = max(candidates, key=lambda change: change.measured)
    return replace(top, baseline=then, tolerance=tolerance.bytes_for(then))
