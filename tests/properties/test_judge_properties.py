"""The judge over all that can be measured: verdicts rest on figures and outcomes alone."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ncnn_peakmem.baselines import Change, Verdict, VerdictKind, fails_anew, judge, largest_first
from ncnn_peakmem.measurement import JUDGED, Gauge, Measurement, Metric, Outcome, Phase, Reading
from ncnn_peakmem.tolerance import Tolerance, Tolerances
from tests.properties.strategies import CASE_IDS, OUTCOMES, TOLERANCE, TOLERANCES, measurements, readings

NAME = "net-fp32-t1"
PHASES = [phase for phase in Phase if phase is not Phase.IMPORT]


def whole(gauge: Gauge) -> st.SearchStrategy[Reading]:
    return readings(gauge, whole=True)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Measurement, Measurement]:
    """Two measurements of one case and model, whose probes all ended well, and near each other."""
    gauge = draw(st.sampled_from(Gauge))
    then = draw(whole(gauge))
    now = then
    for _ in range(draw(st.integers(0, 3))):
        phase, metric = draw(st.sampled_from(PHASES)), draw(st.sampled_from(JUDGED[gauge]))
        now = moved(now, phase, metric, draw(st.integers(-(2**21), 2**21)))
    return Measurement(NAME, "one", {gauge: now}), Measurement(NAME, "one", {gauge: then})


def moved(reading: Reading, phase: Phase, metric: Metric, by: int) -> Reading:
    figures = {**reading.phases[phase], metric: reading.phases[phase][metric] + by}
    return replace(reading, phases={**reading.phases, phase: figures})


def limit(tolerances: Tolerances, gauge: Gauge, *, same_release: bool) -> Tolerance:
    limits = tolerances[gauge]
    return limits.same_release if same_release else limits.between_releases


@given(pairs(), TOLERANCES, st.booleans())
def test_the_verdict_is_what_the_figures_say_one_by_one(
    pair: tuple[Measurement, Measurement], tolerances: Tolerances, same_release: bool
) -> None:
    now, then = pair
    (gauge,) = now.readings
    tolerance = limit(tolerances, gauge, same_release=same_release)
    grown, shrunk = False, False
    for phase in PHASES:
        for metric in JUDGED[gauge]:
            new, old = now.readings[gauge].net(phase, metric), then.readings[gauge].net(phase, metric)
            assert new is not None
            assert old is not None
            allowed = max(tolerance.absolute, int(tolerance.relative * abs(old)))
            grown |= new - old > allowed
            shrunk |= old - new > allowed
    verdict = judge(now, then, tolerances, same_release=same_release)
    expected = VerdictKind.REGRESSED if grown else VerdictKind.IMPROVED if shrunk else VerdictKind.SAME
    assert verdict.kind is expected
    assert verdict.accepted is not grown
    assert bool(verdict.changes) is (grown or shrunk)


@given(pairs(), TOLERANCES, st.sampled_from(PHASES), st.integers(0, 2**30), st.data())
def test_more_growth_is_never_judged_milder(
    pair: tuple[Measurement, Measurement], tolerances: Tolerances, phase: Phase, by: int, data: st.DataObject
) -> None:
    now, then = pair
    ((gauge, reading),) = now.readings.items()
    metric = data.draw(st.sampled_from(JUDGED[gauge]))
    # Of what improved, less improvement is not milder either, but it is not worse: both are accepted.
    more = replace(now, readings={gauge: moved(reading, phase, metric, by)})
    before, after = (judge(side, then, tolerances, same_release=False) for side in (now, more))
    assert before.accepted or not after.accepted


@given(whole(Gauge.HEAP), st.sampled_from(PHASES), st.sampled_from(JUDGED[Gauge.HEAP]), TOLERANCES)
def test_the_edge_of_a_tolerance_belongs_to_it(
    reading: Reading, phase: Phase, metric: Metric, tolerances: Tolerances
) -> None:
    then = Measurement(NAME, "one", {Gauge.HEAP: reading})
    net = reading.net(phase, metric)
    assert net is not None
    allowed = limit(tolerances, Gauge.HEAP, same_release=True).bytes_for(net)

    def kind(by: int) -> VerdictKind:
        now = Measurement(NAME, "one", {Gauge.HEAP: moved(reading, phase, metric, by)})
        return judge(now, then, tolerances, same_release=True).kind

    assert kind(allowed) == kind(-allowed) == VerdictKind.SAME
    assert kind(allowed + 1) == VerdictKind.REGRESSED
    assert kind(-allowed - 1) == VerdictKind.IMPROVED


@given(pairs(), TOLERANCES)
def test_growth_seen_from_the_other_side_is_a_gain(
    pair: tuple[Measurement, Measurement], tolerances: Tolerances
) -> None:
    now, then = pair
    # Relative ones are shares of the baseline, which the two sides have of their own.
    absolute = {
        gauge: replace(
            limits,
            between_releases=Tolerance(limits.between_releases.absolute),
        )
        for gauge, limits in tolerances.items()
    }
    there = judge(now, then, absolute, same_release=False)
    back = judge(then, now, absolute, same_release=False)
    assert [(c.phase, c.metric, c.difference, c.exceeds) for c in there.changes] == [
        (c.phase, c.metric, -c.difference, c.improves) for c in back.changes
    ]


@given(measurements(case=NAME), st.one_of(st.none(), measurements(case=NAME)), TOLERANCES, st.booleans())
def test_anything_measured_gets_a_verdict_that_can_be_told(
    now: Measurement, then: Measurement | None, tolerances: Tolerances, same_release: bool
) -> None:
    verdict = judge(now, then, tolerances, same_release=same_release)
    assert verdict.case == NAME
    assert verdict.kind in VerdictKind
    assert "\n" not in verdict.reason
    assert verdict.accepted == (verdict.kind in {VerdictKind.SAME, VerdictKind.IMPROVED})
    if then is None or now.model != then.model:
        assert verdict.kind is VerdictKind.NEW
    assert verdict.headline is None or verdict.headline in (*verdict.changes, *verdict.peaks)


@given(measurements(case=NAME), TOLERANCES)
def test_what_is_measured_again_is_the_same(measured: Measurement, tolerances: Tolerances) -> None:
    verdict = judge(measured, measured, tolerances, same_release=True)
    assert verdict.kind is VerdictKind.SAME
    assert not verdict.changes
    assert not fails_anew(measured, measured)


@given(pairs(), OUTCOMES, TOLERANCES)
def test_a_gauge_that_fails_and_did_not_is_never_accepted(
    pair: tuple[Measurement, Measurement], outcome: Outcome, tolerances: Tolerances
) -> None:
    measured, then = pair
    ((gauge, reading),) = measured.readings.items()
    now = replace(measured, readings={gauge: replace(reading, outcome=outcome)})
    assert fails_anew(now, then) is not outcome.ok
    if outcome.ok:
        return
    assert judge(now, then, tolerances, same_release=True).kind is VerdictKind.BROKEN


@given(TOLERANCE, st.integers(-(2**48), 2**48))
def test_a_tolerance_is_a_share_or_an_amount_whichever_is_more(tolerance: Tolerance, baseline: int) -> None:
    allowed = tolerance.bytes_for(baseline)
    assert allowed == tolerance.bytes_for(-baseline)
    assert allowed >= tolerance.absolute
    assert allowed >= int(tolerance.relative * abs(baseline))
    assert allowed in {tolerance.absolute, int(tolerance.relative * abs(baseline))}


CHANGES = st.builds(
    Change,
    st.just(Gauge.HEAP),
    st.just(Phase.FIRST),
    st.just(Metric.PEAK),
    st.integers(0, 2**40),
    st.integers(0, 2**40),
    st.just(0),
)
VERDICTS = st.builds(
    Verdict, CASE_IDS, st.sampled_from(VerdictKind), changes=st.lists(CHANGES, max_size=2).map(tuple)
)


@given(st.lists(VERDICTS, max_size=6, unique_by=lambda verdict: verdict.case))
def test_the_gravest_is_told_first_in_whatever_order_they_came(verdicts: list[Verdict]) -> None:
    ordered = largest_first(verdicts)
    assert sorted(map(repr, ordered)) == sorted(map(repr, verdicts))
    severities = [verdict.kind.severity for verdict in ordered]
    assert severities == sorted(severities, reverse=True)
    assert largest_first(reversed(verdicts)) == ordered
