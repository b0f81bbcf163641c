"""The search for the first bad release, over every small history there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise, product
from math import ceil, log2

import pytest

from ncnn_peakmem.history.bisection import Bisection, Crossing, NoChangeBetween, Sample, bisect
from ncnn_peakmem.tolerance import Tolerance

LIMIT = 100
GOOD, BAD, HOLE = 90, 110, None


@dataclass
class Shelf:
    """Releases `r0`, `r1`, ... that take these bytes, and which of them were probed, in order."""

    takes: Sequence[int | None]
    probed: list[str] = field(default_factory=list)

    @property
    def releases(self) -> list[str]:
        return [f"r{place}" for place in range(len(self.takes))]

    def sample(self, release: str) -> Sample:
        taken = self.takes[int(release[1:])]
        return Sample(release, taken, "crashed" if taken is None else "")

    def measure(self, release: str) -> Sample:
        self.probed.append(release)
        return self.sample(release)

    def bisect(
        self, *, thorough: bool = False, known: Sequence[str] = (), tolerance: Tolerance | None = None
    ) -> Bisection:
        return bisect(
            self.releases,
            self.measure,
            LIMIT,
            known=[self.sample(release) for release in known],
            tolerance=tolerance,
            thorough=thorough,
        )

    def place(self, sample: Sample) -> int:
        return self.releases.index(sample.release)


def histories(longest: int) -> Iterator[tuple[int | None, ...]]:
    """Every mixture of good, bad and unmeasurable releases between a good one and a bad one."""
    for length in range(2, longest + 1):
        for middle in product((GOOD, BAD, HOLE), repeat=length - 2):
            yield (GOOD, *middle, BAD)


ALL = tuple(histories(8))


@pytest.mark.parametrize("thorough", [False, True])
def test_pair_is_good_and_bad_with_nothing_measurable_between(thorough: bool) -> None:
    for takes in ALL:
        shelf = Shelf(takes)
        found = shelf.bisect(thorough=thorough)
        last_good, first_bad = shelf.place(found.last_good), shelf.place(found.first_bad)

        assert takes[last_good] == GOOD, takes
        assert takes[first_bad] == BAD, takes
        assert set(takes[last_good + 1 : first_bad]) <= {HOLE}, takes
        assert found.candidates == tuple(shelf.releases[last_good + 1 : first_bad + 1]), takes


def test_no_older_release_that_was_looked_at_is_bad() -> None:
    for takes in ALL:
        shelf = Shelf(takes)
        found = shelf.bisect()
        older = found.samples[: found.samples.index(found.first_bad)]

        assert all(sample.within(LIMIT) is not False for sample in older), takes
        seen = {sample.release for sample in older}
        assert set(found.unprobed) == set(shelf.releases[: shelf.place(found.first_bad)]) - seen, takes


def test_thorough_search_finds_the_true_first() -> None:
    for takes in ALL:
        shelf = Shelf(takes)
        found = shelf.bisect(thorough=True)

        assert shelf.place(found.first_bad) == takes.index(BAD), takes
        assert found.unprobed == (), takes


def test_history_of_one_rise_is_narrowed_to_it() -> None:
    for length in range(2, 40):
        for first_bad in range(1, length):
            shelf = Shelf([GOOD] * first_bad + [BAD] * (length - first_bad))
            found = shelf.bisect()

            assert found.first_bad.release == f"r{first_bad}"
            assert found.crossings == (Crossing(found.last_good, found.first_bad),)
            assert found.monotone


def test_every_release_is_probed_at_most_once_and_only_so_many() -> None:
    for takes in ALL:
        shelf = Shelf(takes)
        shelf.bisect()
        holes = sum(shelf.sample(release).bytes is None for release in shelf.probed)
        halvings = ceil(log2(len(takes) - 1))

        assert len(shelf.probed) == len(set(shelf.probed)), takes
        # Both ends, the search, two looks at older releases, and the search that each of them may start anew.
        assert len(shelf.probed) - holes <= 2 + halvings + 2 * (1 + halvings), takes


def test_search_is_a_bisection_when_nothing_surprises() -> None:
    shelf = Shelf([GOOD] * 37 + [BAD] * 28)
    shelf.bisect()

    assert len(shelf.probed) <= 2 + 6 + 2


def test_known_figures_are_not_probed_and_narrow_the_search() -> None:
    for takes in histories(6):
        names = Shelf(takes).releases
        for count in range(len(names) + 1):
            for known in combinations(names, count):
                shelf = Shelf(takes)
                found = shelf.bisect(known=known)

                assert not set(shelf.probed) & set(known), (takes, known)
                assert {sample.release for sample in found.samples} == {*shelf.probed, *known}
                assert takes[shelf.place(found.last_good)] == GOOD, (takes, known)
                assert takes[shelf.place(found.first_bad)] == BAD, (takes, known)


def test_neighbours_that_are_known_leave_nothing_to_search() -> None:
    shelf = Shelf([GOOD, GOOD, BAD, BAD])

    found = shelf.bisect(known=["r0", "r1", "r2", "r3"])

    assert found.first_bad.release == "r2"
    assert shelf.probed == []


def test_figure_of_a_release_outside_the_range_is_left_out() -> None:
    shelf = Shelf([GOOD, BAD])

    found = bisect(shelf.releases, shelf.measure, LIMIT, known=[Sample("r9", 1)])

    assert [sample.release for sample in found.samples] == ["r0", "r1"]


def test_earlier_rise_that_the_halving_passes_over_is_noticed() -> None:
    takes = [GOOD] * 4 + [BAD] * 3 + [GOOD] * 11 + [BAD] * 3
    shelf = Shelf(takes)

    found = shelf.bisect()

    assert found.first_bad.release == "r4"
    assert not found.monotone
    assert [(turn.before.bytes, turn.after.bytes) for turn in found.crossings] == [
        (GOOD, BAD),
        (BAD, GOOD),
        (GOOD, BAD),
    ]


def test_crossings_are_every_turn_among_the_samples() -> None:
    for takes in ALL:
        found = Shelf(takes).bisect(thorough=True)
        measured = [sample for sample in found.samples if sample.bytes is not None]
        turns = [pair for pair in pairwise(measured) if pair[0].bytes != pair[1].bytes]

        assert [(turn.before, turn.after) for turn in found.crossings] == turns, takes
        assert found.monotone == (len(turns) == 1), takes


@pytest.mark.parametrize(
    ("takes", "monotone"),
    [
        ([80, 90, 110], True),
        ([90, 90, 110], True),
        ([90, 86, 110], True),
        ([90, 85, 110], False),
        ([90, 88, 84, 110], False),
        ([90, HOLE, 110], True),
    ],
)
def test_small_fall_still_counts_as_growing(takes: list[int | None], monotone: bool) -> None:
    assert Shelf(takes).bisect(thorough=True, tolerance=Tolerance(absolute=4)).monotone is monotone


def test_figure_at_the_limit_is_good() -> None:
    assert Shelf([GOOD, LIMIT, LIMIT + 1]).bisect().first_bad.release == "r2"


def test_what_cannot_be_measured_is_told_with_the_candidates() -> None:
    found = Shelf([GOOD, HOLE, HOLE, BAD]).bisect()

    assert found.candidates == ("r1", "r2", "r3")
    assert [sample.cause for sample in found.samples] == ["", "crashed", "crashed", ""]


def test_difference_is_that_of_the_pair() -> None:
    found = Shelf([0, 80, 120, 150]).bisect()

    assert (found.difference, found.percent) == (40, 50.0)
    assert Shelf([0, 120]).bisect().percent is None


@pytest.mark.parametrize(
    ("takes", "told"),
    [
        ([BAD, GOOD, BAD], "r0 is bad (110 bytes) and has to be good"),
        ([GOOD, BAD, GOOD], "r2 is good (90 bytes) and has to be bad"),
        ([HOLE, BAD], "r0 cannot be judged (crashed)"),
        ([GOOD, HOLE], "r1 cannot be judged (crashed)"),
    ],
)
def test_ends_that_are_not_good_and_bad_are_told_with_their_figures(
    takes: list[int | None], told: str
) -> None:
    shelf = Shelf(takes)

    with pytest.raises(NoChangeBetween) as caught:
        shelf.bisect()

    assert told in str(caught.value)
    assert "limit of 100 bytes" in str(caught.value)
    assert (caught.value.oldest.bytes, caught.value.newest.bytes) == (takes[0], takes[-1])
    assert len(shelf.probed) == 2


@pytest.mark.parametrize("releases", [[], ["r0"], ["r0", "r1", "r0"]])
def test_fewer_than_two_different_releases_are_refused(releases: list[str]) -> None:
    with pytest.raises(ValueError, match="at least two different releases"):
        bisect(releases, Shelf([GOOD, BAD]).measure, LIMIT)
