"""`ncnn-peakmem bisect` over releases: the first bad one."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from ncnn_peakmem import runtimes
from ncnn_peakmem.cli import figure
from ncnn_peakmem.measurement import Gauge, Outcome, OutcomeKind, Reading
from ncnn_peakmem.runtimes import Releases, Runtime, resolution
from tests.cli.desk import (
    CASE,
    COULD_NOT_MEASURE,
    CRASHED,
    FOUND,
    MIB,
    RISE,
    USAGE,
    Desk,
    Desks,
    Makes,
    ok,
)

REAL_RESOLVE = runtimes.resolve
RANGE_TO_LATEST = ("--good", "20210101", "--bad", "latest")


def test_first_bad_release_is_told_with_its_figures(desk: Desks) -> None:
    result = desk(RISE).over()

    assert result.exit_code == FOUND, result.output
    assert (
        "first bad 1.0.20210401: 12.00 MiB, +2.00 MiB (+20.0 %) "
        "against 10.00 MiB of 1.0.20210301, the last good"
    ) in result.stdout
    assert "among the releases looked at the figures only grow" in result.stdout


def test_each_probe_is_told_as_it_is_done(desk: Desks) -> None:
    table = desk(RISE)
    lines = table.over().stdout.splitlines()

    assert lines[0] == "small-fp32-light-t1   heap peak"
    told = [line.split() for line in lines if line.startswith("1.0.")]
    assert [line[0] for line in told] == table.probed
    assert told[:2] == [
        ["1.0.20210101", "10.00", "MiB", "good", "measured"],
        ["1.0.20210501", "12.00", "MiB", "bad", "measured"],
    ]


def test_next_step_is_a_command_that_judges_commits_by_the_same_limit(desk: Desks, project: Path) -> None:
    result = desk(RISE).over("--phase", "load_model", "--threshold", "1MiB")
    start, run = (shlex.split(line) for line in result.stdout.splitlines()[-2:])

    assert start == ["git", "bisect", "start", "20210401", "20210301"]
    assert run[:4] == ["git", "bisect", "run", "../bisect-step.sh"]
    flags = dict(zip(run[4::2], run[5::2], strict=True))
    assert flags == {
        "--case": "small-fp32-light-t1",
        "--phase": "load_model",
        "--limit": str(11 * MIB),
        "--models": str(project / "models.yaml"),
    }


def test_next_step_has_the_path_of_any_folder(desk: Desks, project: Path) -> None:
    table = desk(RISE)
    odd = project / "my $HOME"
    shutil.copytree(project, odd)
    result = table.over("--models", str(odd / "models.yaml"))

    assert shlex.split(result.stdout.splitlines()[-1])[-2:] == ["--models", str(odd / "models.yaml")]


def test_next_step_names_the_tag_where_the_wheel_bears_another_date(desk: Desks) -> None:
    result = desk({"20250916": MIB, "20260114": 2 * MIB}).over()

    assert "git bisect start 20260113 20250916" in result.stdout


def test_folder_called_like_a_release_is_not_measured_in_its_place(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("1.0.20210101", "1.0.20210201", "1.0.20210301")
    places = [Path("cache/runtimes", f"release-{name}-{sys.implementation.cache_tag}") for name in names]
    for folder in (*places, Path(names[1])):
        (folder / "ncnn").mkdir(parents=True)
        (folder / "ncnn" / "ncnn.py").write_text("class Net: pass\n__version__ = '1.0.20990101'")
    takes = dict(zip((str(place.resolve()) for place in places), (1, 1, 2), strict=True))

    def read_gauges(gauges: set[Gauge], build: Runtime, *_: object) -> dict[Gauge, Reading]:
        return dict.fromkeys(gauges, ok(takes.get(str(build.module.parents[1]), 99) * MIB))

    monkeypatch.setattr(runtimes, "releases", lambda *_: Releases(names))
    monkeypatch.setattr(figure, "read_gauges", read_gauges)
    result = Desk(project, {}).bisect("--fresh", "--good", names[0], "--bad", names[2], *CASE)

    assert "first bad 1.0.20210301: 2.00 MiB" in result.stdout, result.output


@pytest.mark.parametrize("asked", [("--ncnn", "latest", "--limit", "1MiB"), RANGE_TO_LATEST])
def test_that_the_list_of_releases_is_old_stays_on_the_screen(
    desk: Desks, monkeypatch: pytest.MonkeyPatch, asked: tuple[str, ...]
) -> None:
    table = desk({"20210101": MIB, "20210201": MIB})
    old = Releases(tuple(table.makes), "the package index could not be asked")
    monkeypatch.setattr(runtimes, "resolve", REAL_RESOLVE)
    monkeypatch.setattr(runtimes, "releases", lambda *_: old)
    monkeypatch.setattr(resolution, "releases", lambda *_: old)
    monkeypatch.setattr(resolution, "from_release", table.resolve)

    assert table.bisect(*asked, *CASE).stderr.count(old.note) == 1


def test_stored_figures_are_used_in_place_of_probes(desk: Desks) -> None:
    table = desk(RISE)
    table.over()
    table.probed.clear()
    for release in ("20210101", "20210301", "20210401"):
        made = table.makes[f"1.0.{release}"]
        assert isinstance(made, int)
        table.store(f"1.0.{release}", ok(made), table.model())

    result = table.over()

    assert result.exit_code == FOUND, result.output
    assert not {"1.0.20210101", "1.0.20210301", "1.0.20210401"} & set(table.probed)
    assert result.stdout.count(" stored") == 3
    assert "first bad 1.0.20210401" in result.stdout


def test_fresh_measures_all(desk: Desks) -> None:
    table = desk(RISE)
    table.over()
    table.store("1.0.20210101", ok(99 * MIB), table.model())

    result = table.over("--fresh")

    assert result.exit_code == FOUND, result.output
    assert " stored" not in result.stdout


@pytest.mark.parametrize(
    ("reading", "model"),
    [(ok(99 * MIB), "another"), (Reading(Outcome(OutcomeKind.CRASHED), {}), None)],
    ids=["another model", "crashed"],
)
def test_stored_figure_that_does_not_fit_is_measured_anew(
    desk: Desks, reading: Reading, model: str | None
) -> None:
    table = desk(RISE)
    table.over()
    table.store("1.0.20210101", reading, model or table.model())

    result = table.over()

    assert "first bad 1.0.20210401" in result.stdout
    assert " stored" not in result.stdout


def test_release_that_cannot_be_measured_is_passed_over_and_told(desk: Desks) -> None:
    makes = {**RISE, "20210301": "there is no wheel for this Python", "20210201": CRASHED}
    result = desk(makes).over()

    assert result.exit_code == FOUND, result.output
    assert "cannot tell   there is no wheel for this Python" in result.stdout
    assert "cannot tell   crashed in first: SIGSEGV in inference" in result.stdout
    assert "or 1.0.20210201, 1.0.20210301, which could not be measured" in result.stdout


def test_phase_that_a_probe_finished_before_it_died_has_its_figure(desk: Desks) -> None:
    makes = {"20210101": 2 * MIB, "20210201": CRASHED, "20210301": 3 * MIB}

    assert "first bad 1.0.20210201: 3.00 MiB" in desk(makes).over("--phase", "load_model").stdout


def test_without_a_phase_the_largest_of_all_is_judged(desk: Desks) -> None:
    makes = {"20210101": ok(5 * MIB, 9 * MIB), "20210201": ok(8 * MIB, 9 * MIB), "20210301": ok(1, 10 * MIB)}

    assert "first bad 1.0.20210301: 10.00 MiB" in desk(makes).over().stdout
    assert (
        "first bad 1.0.20210201: 8.00 MiB"
        in desk({**makes, "20210301": ok(9 * MIB)}).over("--phase", "load_model").stdout
    )


UPS_AND_DOWNS: Mapping[str, Makes] = {
    f"202101{day:02}": size * MIB
    for day, size in enumerate([10, 10, 10, 10, 15, 15, 10, 10, 10, 10, 15, 15], start=1)
}


def test_history_that_goes_up_and_down_is_told_so(desk: Desks) -> None:
    result = desk(UPS_AND_DOWNS).over("--thorough")

    assert "first bad 1.0.20210105" in result.stdout
    assert (
        "the history goes up and down: bad from 1.0.20210105, good from 1.0.20210107, bad from 1.0.20210111"
    ) in result.stdout
    assert "not looked at" not in result.stdout


def test_releases_not_looked_at_are_named(desk: Desks) -> None:
    table = desk(UPS_AND_DOWNS)
    lines = table.over().stdout.splitlines()
    (unprobed,) = [line for line in lines if line.startswith("not looked at")]

    first_bad = next(line for line in lines if line.startswith("first bad")).split()[2].rstrip(":")
    older = {release for release in table.makes if release < first_bad}
    assert set(unprobed.partition("): ")[2].split(", ")) == older - set(table.probed)


@pytest.mark.parametrize(
    ("threshold", "first_bad"),
    [
        ((), "20210201"),
        (("--threshold", "20KiB"), "20210301"),
        (("--threshold", "20480"), "20210301"),
        (("--threshold", "0.5%"), "20210401"),
    ],
)
def test_threshold_is_what_may_come_on_top_of_the_good_figure(
    desk: Desks, threshold: tuple[str, ...], first_bad: str
) -> None:
    kib = 1 << 10
    makes = {
        "20210101": 4 * MIB,
        "20210201": 4 * MIB + 17 * kib,
        "20210301": 4 * MIB + 20 * kib + 1,
        "20210401": 5 * MIB,
    }

    assert f"first bad 1.0.{first_bad}" in desk(makes).over("--thorough", *threshold).stdout


def test_json_is_all_that_standard_output_has(desk: Desks) -> None:
    result = desk({**RISE, "20210301": "no wheel"}).over("--json", "--phase", "load_model")
    found = json.loads(result.stdout)

    assert (found["case"], found["gauge"], found["phase"]) == ("small-fp32-light-t1", "heap", "load_model")
    assert (found["last_good"], found["first_bad"]) == ("1.0.20210201", "1.0.20210401")
    assert found["candidates"] == ["1.0.20210301", "1.0.20210401"]
    assert found["limit"] == 10 * MIB + (16 << 10)
    assert found["crossings"] == [["1.0.20210201", "1.0.20210401"]]
    assert {sample["release"]: (sample["bytes"], sample["verdict"]) for sample in found["samples"]}[
        "1.0.20210301"
    ] == (None, "cannot tell")
    assert "1.0.20210301" in result.stderr


RANGE = ("--good", "20210101", "--bad", "20210501")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((*CASE,), USAGE, "give --good and --bad, or else --ncnn"),
        (("--good", "20210101", *CASE), USAGE, "give --good and --bad, or else --ncnn"),
        ((*RANGE, "--limit", "3MiB", *CASE), USAGE, "give --good and --bad, or else --ncnn"),
        (RANGE, USAGE, "--case"),
        ((*RANGE, "--case", "small-fp32-lite-t1"), USAGE, "did you mean small-fp32-light-t1"),
        ((*RANGE, "--case", "zzz"), USAGE, "such as small-fp32-light-t1"),
        ((*RANGE, *CASE, "--metric", "vm_peak"), USAGE, "the gauge heap reads peak, live, not vm_peak"),
        ((*RANGE, *CASE, "--threshold", "lots"), USAGE, "allowed: whole bytes such as 16384"),
        ((*RANGE, *CASE, "--threshold", "x%"), USAGE, "allowed: a percentage such as 0.1 %"),
        ((*RANGE, *CASE, "--phase", "import"), USAGE, "load_model"),
        ((*RANGE, *CASE, "--models", "none.yaml"), USAGE, "none.yaml"),
        (
            ("--good", "20210501", "--bad", "20210101", *CASE),
            USAGE,
            "has to be older than --bad",
        ),
        (("--good", "20210101", "--bad", "20210102", *CASE), USAGE, "20210102 is no release"),
        (("--good", "all", "--bad", "all", *CASE), USAGE, "'all' names no release of ncnn: give a date"),
        (("--good", "20210101..", "--bad", "latest", *CASE), USAGE, "'20210101..' names no release"),
        (("--good", "20210101", "--bad", "20210401,latest", *CASE), USAGE, "latest' names no release"),
        (
            ("--good", "20210101", "--bad", "20210301", *CASE),
            USAGE,
            "20210301 is not bad: it takes 10.00 MiB",
        ),
    ],
)
def test_wrong_usage_is_told_in_words(desk: Desks, arguments: tuple[str, ...], code: int, told: str) -> None:
    result = desk(RISE).bisect(*arguments)

    assert result.exit_code == code, result.output
    assert told in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("end", ["20210101", "20210501"])
def test_end_that_cannot_be_measured(desk: Desks, end: str) -> None:
    result = desk({**RISE, end: CRASHED}).over()

    assert result.exit_code == COULD_NOT_MEASURE
    assert f"ncnn 1.0.{end}" in result.stderr
    assert "SIGSEGV" in result.stderr


def test_unexpected_error_over_releases_is_not_hidden(desk: Desks) -> None:
    assert isinstance(desk({**RISE, "20210101": KeyError("bug")}).over().exception, KeyError)
