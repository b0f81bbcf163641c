"""How spreads and the smallest growth seen are told from readings."""

from __future__ import annotations

from pathlib import Path

import pytest

from ncnn_peakmem import catalog
from ncnn_peakmem.baselines import VerdictKind
from ncnn_peakmem.measurement import Gauge, Metric, Outcome, OutcomeKind, Phase, Reading
from ncnn_peakmem.reliability import yardstick
from ncnn_peakmem.reliability.finding import State
from ncnn_peakmem.reliability.repetition import spreads
from ncnn_peakmem.reliability.resolution import CONFIRMATIONS, LARGEST, SMALLEST, Resolution, resolve
from ncnn_peakmem.tolerance import GaugeTolerance, Tolerance

ROOT = Path(__file__).parents[2]
FLOOR = 1 << 22


def pages(load_model: int, steady: int, floor: int = FLOOR) -> Reading:
    """A reading of which two phases are of interest, in bytes net of the floor."""
    net = dict.fromkeys(Phase, 0) | {Phase.LOAD_MODEL: load_model, Phase.STEADY: steady}
    metrics = (Metric.VM_PEAK, Metric.RSS_ANON)
    phases = {phase: dict.fromkeys(metrics, floor + held) for phase, held in net.items()}
    return Reading(Outcome(OutcomeKind.OK), phases)


def test_spread_is_that_of_the_phase_that_moved_most() -> None:
    readings = [pages(100, 9000), pages(400, 9000), pages(200, 9100)]

    found = {spread.metric: spread for spread in spreads(Gauge.PAGES, 1, readings, Tolerance(300))}

    assert set(found) == {Metric.VM_PEAK, Metric.RSS_ANON}
    assert (found[Metric.VM_PEAK].phase, found[Metric.VM_PEAK].bytes) == (Phase.LOAD_MODEL, 300)
    assert found[Metric.VM_PEAK].state is State.OK


def test_where_nothing_moved_the_largest_figure_is_told() -> None:
    (first, _) = spreads(Gauge.PAGES, 2, [pages(100, 9000)] * 2, Tolerance())

    assert (first.phase, first.lowest, first.highest, first.bytes) == (Phase.STEADY, 9000, 9000, 0)


def test_floor_is_not_part_of_the_spread() -> None:
    (first, _) = spreads(Gauge.PAGES, 1, [pages(1, 2), pages(1, 2, floor=FLOOR + 8192)], Tolerance())

    assert first.bytes == 0


def test_noise_beyond_the_tolerance_is_a_false_alarm_to_come() -> None:
    (first, _) = spreads(Gauge.PAGES, 1, [pages(0, 0), pages(0, 301)], Tolerance(300))

    assert first.state is State.DEGRADED


class Builds:
    """Readings of builds that hold more, of which `blind` is not seen; `lucky` sizes are seen once."""

    def __init__(self, blind: int = 0, lucky: frozenset[int] = frozenset()) -> None:
        self.blind = blind
        self.lucky = set(lucky)
        self.asked: list[int] = []

    def read(self, size: int) -> Reading:
        self.asked.append(size)
        if size in self.lucky:
            self.lucky.remove(size)
            return pages(1 << 20, 1 << 20)
        return pages(max(0, size - self.blind), max(0, size - self.blind))


def resolved(builds: Builds, phase: Phase = Phase.STEADY) -> Resolution:
    return resolve(Gauge.PAGES, phase, pages(0, 0), pages(0, 0), yardstick.USUAL.single, builds.read)


def test_smallest_size_above_the_tolerance_is_found() -> None:
    found = resolved(Builds())

    assert (found.tolerance, found.seen, found.stated) == (16384, 32768, 32768)
    assert found.state is State.OK


def test_size_that_is_seen_once_is_not_seen() -> None:
    builds = Builds(lucky=frozenset({1024}))

    assert resolved(builds).seen == 32768
    assert builds.asked.count(1024) == 2
    assert builds.asked.count(32768) == 1 + CONFIRMATIONS


def test_growth_in_another_phase_is_nothing_seen() -> None:
    found = resolve(
        Gauge.PAGES,
        Phase.STEADY,
        pages(0, 0),
        pages(0, 0),
        yardstick.USUAL.single,
        lambda _: pages(1 << 20, 0),
    )

    assert found.seen is None
    assert found.state is State.DEGRADED


def test_gauge_that_is_blinder_than_its_tolerance_is_degraded() -> None:
    found = resolved(Builds(blind=1 << 20))

    assert found.seen == 1 << 21
    assert found.state is State.DEGRADED


def test_tolerance_larger_than_what_is_tried_is_no_fault() -> None:
    found = Resolution(Gauge.DEPLOYED, Phase.STEADY, 16 << 20, 32 << 20, None)

    assert found.state is State.OK


def test_sizes_within_the_tolerance_are_not_tried() -> None:
    wide = {Gauge.PAGES: GaugeTolerance(Tolerance(LARGEST), Tolerance(LARGEST))}
    builds = Builds()

    found = resolve(Gauge.PAGES, Phase.STEADY, pages(0, 0), pages(0, 0), wide, builds.read)

    assert (found.tolerance, found.stated, found.seen) == (LARGEST, 2 * LARGEST, None)
    assert builds.asked == []


@pytest.mark.parametrize(
    ("again", "verdict"), [(1 << 20, VerdictKind.REGRESSED), (-1 << 20, VerdictKind.IMPROVED)]
)
def test_control_that_is_judged_a_change_tells_nothing_of_growth(again: int, verdict: VerdictKind) -> None:
    builds = Builds()

    found = resolve(
        Gauge.PAGES, Phase.STEADY, pages(0, 0), pages(0, again), yardstick.USUAL.single, builds.read
    )

    assert (found.control, found.seen, found.state) == (verdict, None, State.DEGRADED)
    assert builds.asked == []


def test_growth_is_stated_for_the_figure_that_may_move_most() -> None:
    tolerance = Tolerance(16384, 0.5)

    assert tolerance.certainly_seen([100_000, 8192]) == 100_000
    assert tolerance.certainly_seen([]) == tolerance.certainly_seen([8192]) == 32768
    assert Tolerance().certainly_seen([1 << 30]) == 512


def test_sizes_are_doubled_from_the_smallest_to_the_largest() -> None:
    builds = Builds(blind=LARGEST)

    assert resolved(builds).seen is None
    assert builds.asked[0] == SMALLEST
    assert builds.asked[-1] == LARGEST
    assert all(size == 2 * before for before, size in zip(builds.asked, builds.asked[1:], strict=False))


@pytest.mark.parametrize("threads", [1, 2])
def test_usual_tolerances_are_those_that_the_project_ships(threads: int) -> None:
    shipped = yardstick.from_catalog(catalog.load(ROOT / "models.yaml"))

    assert shipped.of(threads) == yardstick.USUAL.of(threads)
