"""A campaign from its first reading to its last, with probes that are made up."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from ncnn_peakmem import catalog, runtimes
from ncnn_peakmem.baselines import VerdictKind
from ncnn_peakmem.conversion import Cache
from ncnn_peakmem.measurement import Gauge, Metric, Outcome, OutcomeKind, Phase, Reading
from ncnn_peakmem.probe import Conditions
from ncnn_peakmem.reliability.campaign import Campaign, CampaignError, DataFile, Plan, Tally, campaign
from ncnn_peakmem.tolerance import GaugeTolerance, Tolerance
from tests.reliability.campaign.made_up import KIB, MODELS, SETTING


class Probes:
    """Stands in for probing: answers with a figure that grows by what a build's source says it holds."""

    def __init__(self) -> None:
        self.asked = 0
        self.stop_at: int | None = None
        self.outcome = Outcome(OutcomeKind.OK)

    def __call__(self, gauges: list[Gauge], build: runtimes.Runtime, *_: object) -> Mapping[Gauge, Reading]:
        if self.asked == self.stop_at:
            raise KeyboardInterrupt
        self.asked += 1
        held = 0
        if build.module.suffix == ".py":
            source = build.module.read_text()
            held = int(source.partition("BYTES = ")[2].splitlines()[0], 16)
        phases = {phase: {Metric.VM_PEAK: 100_007 + held} for phase in Phase}
        phases[Phase.IMPORT] = {Metric.VM_PEAK: 7}
        return {gauge: Reading(self.outcome, phases, 4) for gauge in gauges}


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> Probes:
    found = Probes()
    monkeypatch.setattr(campaign, "read_gauges", found)
    return found


@pytest.fixture
def made(small_param: Path, tmp_path: Path, probes: Probes) -> Callable[[], Campaign]:
    """Makes a campaign of 3 first readings and 14 probes to judge."""
    (tmp_path / "models.yaml").write_text(MODELS)
    known = catalog.load(tmp_path / "models.yaml")
    light, heavy = known.cases("all")
    plan = Plan((light, heavy), (light,), repeats=1, gauges=(Gauge.PAGES,), sizes=(512, 32 * KIB))

    def make() -> Campaign:
        return Campaign(
            plan,
            DataFile(tmp_path / "campaign.jsonl"),
            SETTING,
            known,
            runtimes.installed(),
            Conditions(),
            Cache(tmp_path / "cache"),
        )

    return make


def test_growth_is_judged_against_the_stand_in_that_holds_nothing(made: Callable[[], Campaign]) -> None:
    record = made().run()

    counted = Tally(record)
    assert (counted.probes, counted.injected, counted.due) == (4, 10, 5)
    assert counted.false_alarms == counted.misses == ()
    below = [row for row in record.trials if row.held_bytes == 512]
    assert {row.verdict for row in below} == {VerdictKind.SAME}
    assert {did_move[2] for row in below for did_move in row.differences} == {512}


@pytest.mark.parametrize("stop_at", [0, 1, 3, 9])
def test_an_interrupted_campaign_goes_on_where_it_stopped(
    made: Callable[[], Campaign], probes: Probes, stop_at: int
) -> None:
    probes.stop_at = stop_at
    with pytest.raises(KeyboardInterrupt):
        made().run()
    probes.stop_at = None

    record = made().run()

    # Every answer was asked for once, and is there once.
    assert probes.asked == 3 + 14
    assert len({row.key for row in record.trials}) == len(record.trials) == 14
    assert made().run() == record
    assert probes.asked == 3 + 14


def test_an_alarm_is_written_down_with_the_judges_reason(
    made: Callable[[], Campaign], probes: Probes
) -> None:
    probes.stop_at = 3
    with pytest.raises(KeyboardInterrupt):
        made().run()
    probes.stop_at = None
    probes.outcome = Outcome(OutcomeKind.CRASHED, "SIGSEGV in infer", Phase.STEADY)

    # The stand-in's first reading is still to come, and cannot be had any more.
    with pytest.raises(CampaignError, match="cannot be measured: pages crashed in steady: SIGSEGV"):
        made().run()
    found = DataFile(made().data.path).read()
    assert found is not None
    assert [row.verdict for row in found.trials if row.reason][-1] is VerdictKind.BROKEN


def test_a_model_that_was_converted_anew_is_not_compared(
    made: Callable[[], Campaign], probes: Probes, small_param: Path
) -> None:
    probes.stop_at = 4
    with pytest.raises(KeyboardInterrupt):
        made().run()
    probes.stop_at = None
    small_param.write_text(small_param.read_text().replace(" fc ", " classifier "))

    with pytest.raises(CampaignError, match="the converted model of small is another one by now"):
        made().run()


def test_what_was_judged_by_another_tolerance_is_not_gone_on_with(
    made: Callable[[], Campaign], probes: Probes
) -> None:
    probes.stop_at = 4
    with pytest.raises(KeyboardInterrupt):
        made().run()
    probes.stop_at = None
    before = made()
    wider = {
        name: {
            gauge: one.widened(GaugeTolerance(Tolerance(), Tolerance(32 * KIB))) for gauge, one in own.items()
        }
        for name, own in before.catalog.network_tolerances.items()
    }

    with pytest.raises(CampaignError, match=r"tolerance of small-\S+ with pages is another one by now"):
        replace(before, catalog=replace(before.catalog, network_tolerances=wider)).run()


def test_the_data_names_no_folder_of_this_machine(made: Callable[[], Campaign], tmp_path: Path) -> None:
    made().run()

    text = made().data.path.read_text()
    assert str(tmp_path) not in text
    assert json.loads(text.splitlines()[0])["schema"] == 1
