from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from ncnn_peakmem import catalog
from ncnn_peakmem.baselines import BaselineError, BaselineStore
from ncnn_peakmem.conversion import Cache
from ncnn_peakmem.history.crew import CrewLost
from ncnn_peakmem.history.progress import CaseBegun, CaseDone, Event, Note, ReleaseDone, Tally
from ncnn_peakmem.history.sweep import Sweep
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import (
    NO_MODEL,
    Gauge,
    Measurement,
    MeasurementSet,
    Metric,
    Outcome,
    OutcomeKind,
    Phase,
    Reading,
)
from ncnn_peakmem.probe import Conditions

if TYPE_CHECKING:
    from tests.history.conftest import Releases

MACHINE = MachineClass("x86_64", ("avx2",), 1 << 20, 2, 4096, "glibc2.36")
LIGHT, HEAVY = "small-fp32-light-t1", "small-fp32-heavy-t1"
OLDEST, MIDDLE, NEWEST = "1.0.20240101", "1.0.20250101", "1.0.20260101"
EXACT = frozenset({Gauge.HEAP, Gauge.PAGES})
PAGES = frozenset({Gauge.PAGES})

MakeSweep = Callable[..., Sweep]


@pytest.fixture
def store(tmp_path: Path) -> BaselineStore:
    return BaselineStore(tmp_path / "baselines")


@pytest.fixture
def sweep(models: Path, store: BaselineStore, tmp_path: Path) -> MakeSweep:
    def make(cases: tuple[str, ...] = (LIGHT, HEAVY), **changes: object) -> Sweep:
        known = catalog.load(models)
        settings = {
            "store": store,
            "machine": MACHINE,
            "networks": known.networks,
            "cases": tuple(case for case in known.cases("both") if case.id in cases),
            "gauges": PAGES,
            "conditions": Conditions(step_timeout_seconds=60),
            "cache": Cache(tmp_path / "cache"),
            **changes,
        }
        return Sweep(**settings)  # type: ignore[arg-type]

    return make


def files(store: BaselineStore) -> Mapping[str, bytes]:
    return {str(path.relative_to(store.folder)): path.read_bytes() for path in store.folder.rglob("*.json")}


def stored(store: BaselineStore, release: str) -> Mapping[str, Measurement]:
    return store.load(MACHINE, Version(release)).cases


def test_every_release_gets_a_file_with_what_it_holds(
    sweep: MakeSweep, store: BaselineStore, releases: Releases
) -> None:
    tally = sweep(gauges=EXACT).run(releases.versions, releases.resolve)

    assert tally == Tally(measured=6, to_measure=6)
    assert {*files(store)} == {f"{MACHINE.id}/{version}.json" for version in releases.versions}
    live = {
        version: stored(store, version)[LIGHT].readings[Gauge.HEAP].net(Phase.LOAD_MODEL, Metric.LIVE)
        for version in releases.versions
    }
    # A Mat asks for 4 bytes of reference count and fastMalloc for 64 more.
    assert live[MIDDLE] - live[NEWEST] == (1 << 18) - (1 << 16)  # type: ignore[operator]
    for version in releases.versions:
        assert {*stored(store, version)} == {LIGHT, HEAVY}
        for measurement in stored(store, version).values():
            assert {*measurement.readings} == EXACT
            assert measurement.outcome.ok


def test_newest_release_is_measured_first(sweep: MakeSweep, releases: Releases) -> None:
    sweep((LIGHT,)).run(releases.versions, releases.resolve)

    assert releases.probes() == [NEWEST, MIDDLE, OLDEST]


def test_what_is_stored_is_not_measured_again(
    sweep: MakeSweep, store: BaselineStore, releases: Releases
) -> None:
    sweep((LIGHT,)).run([MIDDLE, NEWEST], releases.resolve)
    before = releases.probes()

    tally = sweep().run(releases.versions, releases.resolve)

    assert tally == Tally(measured=4, to_measure=4, stored=2)
    assert Counter(releases.probes()) - Counter(before) == {NEWEST: 1, MIDDLE: 1, OLDEST: 2}
    assert all({*stored(store, version)} == {LIGHT, HEAVY} for version in releases.versions)


def test_release_that_is_all_stored_is_not_even_installed(sweep: MakeSweep, releases: Releases) -> None:
    sweep().run([NEWEST], releases.resolve)
    releases.builds.clear()
    events: list[Event] = []

    sweep(progress=events.append).run([NEWEST], releases.resolve)

    assert events == [ReleaseDone(NEWEST, Tally(stored=2), Tally(stored=2))]


def test_again_measures_what_is_stored(sweep: MakeSweep, releases: Releases) -> None:
    sweep((LIGHT,)).run([NEWEST], releases.resolve)

    tally = sweep((LIGHT,), again=True).run([NEWEST], releases.resolve)

    assert tally == Tally(measured=1, to_measure=1)
    assert releases.probes() == [NEWEST, NEWEST]


def test_only_the_gauge_that_lacks_is_read(
    sweep: MakeSweep, store: BaselineStore, releases: Releases, tmp_path: Path
) -> None:
    sweep((LIGHT,), gauges=EXACT, store=BaselineStore(tmp_path / "at once")).run([NEWEST], releases.resolve)
    at_once = len(releases.probes())
    sweep((LIGHT,)).run([NEWEST], releases.resolve)
    assert len(releases.probes()) == at_once + 1

    sweep((LIGHT,), gauges=EXACT).run([NEWEST], releases.resolve)

    assert len(releases.probes()) == 2 * at_once
    assert files(store) == files(BaselineStore(tmp_path / "at once"))


def test_heap_read_later_runs_as_many_loops_as_pages_needed(
    sweep: MakeSweep, store: BaselineStore, releases: Releases, models: Path
) -> None:
    models.write_text(models.read_text().replace("minimum: 12", "minimum: 31"))
    sweep((LIGHT,)).run([NEWEST], releases.resolve)
    models.write_text(models.read_text().replace("minimum: 31", "minimum: 12"))

    sweep((LIGHT,), gauges=EXACT).run([NEWEST], releases.resolve)

    readings = stored(store, NEWEST)[LIGHT].readings
    assert readings[Gauge.HEAP].loops == readings[Gauge.PAGES].loops >= 31


def test_case_of_another_model_is_measured_again(
    sweep: MakeSweep, store: BaselineStore, releases: Releases, small_param: Path
) -> None:
    sweep(gauges=EXACT).run([NEWEST], releases.resolve)
    before, probes = stored(store, NEWEST), len(releases.probes())
    small_param.write_text(small_param.read_text().replace("0=10 1=1 2=81920", "0=20 1=1 2=163840"))
    events: list[Event] = []

    sweep((LIGHT,), progress=events.append).run([NEWEST], releases.resolve)

    after = stored(store, NEWEST)
    assert len(releases.probes()) == probes + 1
    assert after[LIGHT].model != before[LIGHT].model
    # What was read of the old model has no place beside the new one, and that is told.
    assert {*after[LIGHT].readings} == PAGES
    told = f"{LIGHT} on ncnn {NEWEST}: stored figures of heap were of another model, and are gone"
    assert Note(told, lasting=True) in events
    assert after[HEAVY] == before[HEAVY]


def test_release_that_is_not_to_be_had_is_told_and_the_others_go_on(
    sweep: MakeSweep, store: BaselineStore, releases: Releases
) -> None:
    events: list[Event] = []

    tally = sweep(progress=events.append).run([OLDEST, "1.0.20250606", NEWEST], releases.resolve)

    refused = [event for event in events if isinstance(event, ReleaseDone) and event.refusal]
    assert [(event.release, event.refusal) for event in refused] == [
        ("1.0.20250606", "no release 1.0.20250606")
    ]
    assert tally == Tally(measured=4, to_measure=4)
    assert [*map(str, store.versions(MACHINE))] == [OLDEST, NEWEST]


def test_build_that_is_of_another_version_is_refused(
    sweep: MakeSweep, store: BaselineStore, releases: Releases
) -> None:
    events: list[Event] = []

    sweep(progress=events.append).run([OLDEST], lambda _: releases.resolve(NEWEST))

    (done,) = [event for event in events if isinstance(event, ReleaseDone)]
    assert done.refusal.endswith(f"calls itself version {NEWEST}, not {OLDEST}")
    assert files(store) == {}


def test_each_step_is_told(sweep: MakeSweep, releases: Releases) -> None:
    sweep((LIGHT,)).run([NEWEST], releases.resolve)
    events: list[Event] = []

    sweep(progress=events.append).run([OLDEST, NEWEST], releases.resolve)

    def at(measured: int) -> Tally:
        return Tally(measured, to_measure=3, stored=1)

    # The order of the profile within a release.
    assert [event for event in events if not isinstance(event, CaseDone)] == [
        CaseBegun(NEWEST, HEAVY, at(0)),
        ReleaseDone(NEWEST, Tally(1, 1, 1), at(1)),
        CaseBegun(OLDEST, LIGHT, at(1)),
        CaseBegun(OLDEST, HEAVY, at(2)),
        ReleaseDone(OLDEST, Tally(2, 2, 0), at(3)),
    ]
    done = [event for event in events if isinstance(event, CaseDone)]
    assert [(event.case, event.tally) for event in done] == [(HEAVY, at(1)), (LIGHT, at(2)), (HEAVY, at(3))]
    assert all(event.outcome.ok for event in done)


def test_each_case_is_stored_before_the_next_is_probed(
    sweep: MakeSweep, store: BaselineStore, releases: Releases
) -> None:
    seen: list[int] = []

    def look(event: Event) -> None:
        if isinstance(event, CaseBegun):
            seen.append(sum(len(json.loads(text)["cases"]) for text in files(store).values()))

    sweep(progress=look).run([OLDEST, NEWEST], releases.resolve)

    assert seen == [0, 1, 2, 3]


def test_outcome_that_is_not_ok_is_a_result(
    sweep: MakeSweep, store: BaselineStore, releases: Releases, models: Path
) -> None:
    text = models.read_text()
    models.write_text(text.replace("{lightmode: false}", "{use_image_storage: true}"))
    events: list[Event] = []

    sweep(progress=events.append).run([NEWEST], releases.resolve)
    probes = len(releases.probes())
    tally = sweep().run([NEWEST], releases.resolve)

    assert stored(store, NEWEST)[HEAVY].outcome.kind is OutcomeKind.UNSUPPORTED
    (done,) = [event for event in events if isinstance(event, CaseDone) and event.case == HEAVY]
    assert done.outcome.kind is OutcomeKind.UNSUPPORTED
    assert tally == Tally(stored=2)
    assert len(releases.probes()) == probes


def test_failure_does_not_take_the_place_of_figures(
    sweep: MakeSweep, store: BaselineStore, releases: Releases
) -> None:
    sweep((LIGHT,)).run([NEWEST], releases.resolve)
    before = files(store)
    module = releases.resolve(NEWEST).module
    module.write_text(f"{module.read_text()}\nraise OSError('torn')")
    events: list[Event] = []

    sweep((LIGHT,), again=True, progress=events.append).run([NEWEST], releases.resolve)

    assert files(store) == before
    (note,) = [event for event in events if isinstance(event, Note)]
    assert note.lasting
    assert note.text.startswith(f"{LIGHT} on ncnn {NEWEST}: failed in import: ")
    assert note.text.endswith("its stored figures, which are ok, stay")


def test_network_without_a_model_fails_once_and_is_measured_when_it_has_one(
    sweep: MakeSweep, store: BaselineStore, releases: Releases, small_param: Path
) -> None:
    text = small_param.read_text()
    small_param.write_text("776")
    sweep(gauges=EXACT).run([NEWEST], releases.resolve)

    failed = stored(store, NEWEST)[LIGHT]
    assert (failed.model, failed.outcome.kind) == (NO_MODEL, OutcomeKind.FAILED)
    assert failed.outcome.cause.startswith("conversion: small: ")
    assert {*failed.readings} == EXACT
    assert sweep(gauges=EXACT).run([NEWEST], releases.resolve) == Tally(stored=2)

    small_param.write_text(text)
    sweep().run([NEWEST], releases.resolve)

    assert all(measurement.outcome.ok for measurement in stored(store, NEWEST).values())


@pytest.mark.parametrize("again", [False, True])
def test_network_that_lost_its_model_keeps_its_figures(
    sweep: MakeSweep, store: BaselineStore, releases: Releases, small_param: Path, again: bool
) -> None:
    sweep().run([NEWEST], releases.resolve)
    before = files(store)
    small_param.write_text("776")
    events: list[Event] = []

    tally = sweep(gauges=EXACT, again=again, progress=events.append).run([NEWEST], releases.resolve)

    assert files(store) == before
    assert tally == Tally(stored=2)
    (note,) = [event for event in events if isinstance(event, Note)]
    assert note.lasting
    assert "small.param:1" in note.text


def test_unreadable_file_is_told_before_anything_is_measured(
    sweep: MakeSweep, store: BaselineStore, releases: Releases
) -> None:
    torn = store.path(MACHINE, Version(OLDEST))
    torn.parent.mkdir(parents=True)
    torn.write_text("{")

    with pytest.raises(BaselineError, match=OLDEST):
        sweep().run(releases.versions, releases.resolve)

    assert releases.probes() == []


def test_figures_of_cases_not_swept_stay(sweep: MakeSweep, store: BaselineStore, releases: Releases) -> None:
    reading = Reading(Outcome(OutcomeKind.OK), {Phase.FIRST: {Metric.PEAK: 5, Metric.LIVE: 4}})
    other = Measurement("other-fp32-t1", "digest", {Gauge.HEAP: reading})
    store.update(MeasurementSet(NEWEST, MACHINE, {other.case: other}))

    sweep((LIGHT,)).run([NEWEST], releases.resolve)

    assert stored(store, NEWEST)[other.case] == other


def test_two_workers_store_the_same_files_as_one(
    sweep: MakeSweep, store: BaselineStore, releases: Releases, tmp_path: Path
) -> None:
    sweep(gauges=EXACT, store=BaselineStore(tmp_path / "one")).run(releases.versions, releases.resolve)

    tally = sweep(gauges=EXACT, workers=2).run(releases.versions, releases.resolve)

    assert tally == Tally(measured=6, to_measure=6)
    assert files(store) == files(BaselineStore(tmp_path / "one"))


def test_worker_that_dies_is_told_and_what_is_finished_is_stored(
    sweep: MakeSweep, store: BaselineStore, releases: Releases
) -> None:
    releases.signal_parent_of(4, signal.SIGKILL)

    with pytest.raises(CrewLost, match="a measuring process died while measuring small-fp32-"):
        sweep(workers=2).run(releases.versions, releases.resolve)

    done = sum(len(json.loads(text)["cases"]) for text in files(store).values())
    assert done >= 2
    assert sweep(workers=2).run(releases.versions, releases.resolve) == Tally(6 - done, 6 - done, done)
