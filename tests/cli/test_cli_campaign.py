"""`ncnn-peakmem campaign`, with real probes of a small network."""

from __future__ import annotations

import functools
import importlib
import json
from collections.abc import Callable
from pathlib import Path

import click.testing
import pytest

from ncnn_peakmem.cli import main
from ncnn_peakmem.reliability.campaign import Plan
from tests.reliability.campaign.made_up import CASE, MODELS

REGRESSED, USAGE, COULD_NOT_MEASURE, INTERRUPTED = 1, 2, 3, 130

# The package has the command itself by this name.
command = importlib.import_module("ncnn_peakmem.cli.campaign")

Run = Callable[..., click.testing.Result]


@pytest.fixture
def run(small_param: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command on the small network in a folder of its own, with two sizes of growth."""
    assert small_param.parent == tmp_path
    (tmp_path / "models.yaml").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "Plan", functools.partial(Plan, sizes=(4096, 65536)))

    def invoke(*arguments: str) -> click.testing.Result:
        chosen = [] if "--stored" in arguments else ["--profile", "all", "--case", "*", "--inject", CASE]
        words = ["campaign", "campaign.jsonl", *chosen, "--cache-dir", "cache", *arguments]
        return click.testing.CliRunner().invoke(main, words)

    return invoke


def test_a_tiny_campaign_from_probes_to_page(run: Run, tmp_path: Path) -> None:
    done = run("--gauge", "pages", "--repeats", "1", "--page", "page.md")

    assert done.exit_code == 0, done.output
    assert "4 identical probes: 0 false alarms; 5 of 10 probes with injected growth" in done.stdout
    assert "round 1 of 1, kept busy: 2 of 14 probes done" in done.stderr
    page = (tmp_path / "page.md").read_text()
    assert "| pages | 1 | kept busy | 2 | 20 | " in page
    assert "| 4.0 KiB | 0/1 | 0/1 | 0/1 | 0/1 | 0/1 |" in page
    assert "| 64.0 KiB | 1/1 | 1/1 | 1/1 | 1/1 | 1/1 |" in page

    data = (tmp_path / "campaign.jsonl").read_bytes()
    again = run("--gauge", "pages", "--repeats", "1")
    assert (again.exit_code, again.stdout) == (0, done.stdout)
    assert (tmp_path / "campaign.jsonl").read_bytes() == data

    (tmp_path / "page.md").unlink()
    stored = run("--stored", "--page", "page.md")
    assert (stored.exit_code, stored.stdout, stored.stderr) == (0, done.stdout, "")
    assert (tmp_path / "page.md").read_text() == page


def test_a_false_alarm_is_what_the_command_fails_for(run: Run, tmp_path: Path) -> None:
    assert run("--gauge", "pages", "--repeats", "1").exit_code == 0
    data = tmp_path / "campaign.jsonl"
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    turned = next(row["trial"] for row in rows if "trial" in row and row["trial"]["part"] == "identical")
    turned["verdict"] = "regressed"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))

    stored = run("--stored")

    assert stored.exit_code == REGRESSED
    assert "4 identical probes: 1 false alarm;" in stored.stdout


def test_ctrl_c_tells_what_is_kept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def interrupted(progress: object, done: int, planned: int, title: str) -> None:
        seen.append(title)
        tell(progress, done, planned, title)
        if done == 1:
            raise KeyboardInterrupt

    tell = command._Progress.__call__
    monkeypatch.setattr(command._Progress, "__call__", interrupted)

    stopped = run("--gauge", "pages", "--repeats", "1")

    assert stopped.exit_code == INTERRUPTED
    assert "interrupted after 1 of 14 probes" in stopped.stderr
    assert "the same command goes on from there" in stopped.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--stored"], COULD_NOT_MEASURE, "campaign.jsonl has nothing to report"),
        (["--page", "nowhere/page.md"], USAGE, "there is no such folder"),
        (["--case", "big-*"], USAGE, "no case of profile all has such an id"),
        (["--profile", "none"], USAGE, "none"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_measured(
    run: Run, tmp_path: Path, arguments: list[str], code: int, told: str
) -> None:
    refused = run(*arguments)

    assert refused.exit_code == code
    assert told in refused.output
    assert not (tmp_path / "campaign.jsonl").exists()
