"""A campaign's data file: what is read back, what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ncnn_peakmem.baselines import VerdictKind
from ncnn_peakmem.measurement import Metric, Phase
from ncnn_peakmem.network import Loops
from ncnn_peakmem.reliability.campaign import CampaignError, DataFile, Part, Record, Setting
from ncnn_peakmem.tolerance import Tolerance
from tests.reliability.campaign.made_up import MACHINE, SETTING, anchor, trial


def test_rows_are_read_back_without_loss(tmp_path: Path) -> None:
    data = DataFile(tmp_path / "campaign.jsonl")
    moved = {Phase.FIRST: {Metric.VM_PEAK: -4096}}
    rows = (
        trial(VerdictKind.REGRESSED, loaded=True, number=3, moved=moved, reason="why"),
        trial(VerdictKind.SAME, Part.INJECTED, phase=Phase.UNLOAD, held_bytes=512),
    )
    firsts = (anchor(), anchor(Part.INJECTED, threads=2, tolerance=Tolerance(1, 0.15)))
    with data.growing(SETTING) as before:
        assert before == Record(SETTING, {}, ())
        for row in (*firsts, *rows):
            data.add(row)

    assert data.read() == Record(SETTING, {first.subject: first for first in firsts}, rows)


def test_what_a_kill_cut_short_is_not_in_the_way(tmp_path: Path) -> None:
    data = DataFile(tmp_path / "campaign.jsonl")
    with data.growing(SETTING):
        data.add(anchor())
        data.add(trial(VerdictKind.SAME, number=1))
    whole = data.path.read_bytes()
    data.path.write_bytes(whole + b'{"trial":{"part":"iden')

    with data.growing(SETTING) as found:
        assert [did.number for did in found.trials] == [1]
        data.add(trial(VerdictKind.SAME, number=2))

    found_again = data.read()
    assert found_again is not None
    assert [did.number for did in found_again.trials] == [1, 2]
    assert data.path.read_bytes().startswith(whole)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("[1]", "is no row of a campaign"),
        ("{}", "is no row of a campaign"),
        ('{"verdict":{}}', "is no row of a campaign"),
        ('{"schema":2,"setting":{}}', "has schema 2"),
        ('{"trial":{"part":"identical"}}', "case: Field required"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(tmp_path: Path, line: str, told: str) -> None:
    data = DataFile(tmp_path / "campaign.jsonl")
    with data.growing(SETTING):
        data.add(anchor())
    with data.path.open("a") as file:
        file.write(line + "\n")

    with pytest.raises(CampaignError, match=rf"campaign\.jsonl:3: {told}"):
        data.read()


def test_a_trial_needs_its_anchor_and_rows_need_a_setting(tmp_path: Path) -> None:
    data = DataFile(tmp_path / "campaign.jsonl")
    data.add(anchor())
    with pytest.raises(CampaignError, match="1: the first line must tell the setting"):
        data.read()

    data = DataFile(tmp_path / "other.jsonl")
    with data.growing(SETTING):
        data.add(trial(VerdictKind.SAME))
    with pytest.raises(CampaignError, match="2: small-fp32-light-t1 pages has no anchor"):
        data.read()


@pytest.mark.parametrize(
    ("here", "told"),
    [
        (replace(SETTING, ncnn="1.0.20250101"), "ncnn 1.0.20260101, now 1.0.20250101"),
        (replace(SETTING, kernel=""), "kernel 6.1.2, now unknown"),
        (
            replace(SETTING, cpus=2, loops=Loops(4, 24)),
            "cpus 4, now 2, loops 4 to 12, settling 2, now 4 to 24, settling 2",
        ),
        (replace(SETTING, loops=Loops(4, 12, 3.0)), "loops 4 to 12, settling 2, now 4 to 12, settling 3"),
        (
            replace(SETTING, machine=replace(MACHINE, page_bytes=16384)),
            f"machine {MACHINE.id}, now {replace(MACHINE, page_bytes=16384).id}",
        ),
    ],
)
def test_a_file_of_another_setting_is_left_alone(tmp_path: Path, here: Setting, told: str) -> None:
    data = DataFile(tmp_path / "campaign.jsonl")
    with data.growing(SETTING):
        data.add(anchor())
    before = data.path.read_bytes()

    with pytest.raises(CampaignError, match="another setting") as refused, data.growing(here):
        pass

    assert f"({told})" in str(refused.value)
    assert data.path.read_bytes() == before


def test_two_campaigns_do_not_write_one_file(tmp_path: Path) -> None:
    data = DataFile(tmp_path / "campaign.jsonl")
    with (
        data.growing(SETTING),
        pytest.raises(CampaignError, match="another campaign writes it"),
        DataFile(data.path).growing(SETTING),
    ):
        pass
