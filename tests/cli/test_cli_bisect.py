"""`ncnn-peakmem bisect`: over releases, and as the judge of `git bisect run`."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ncnn_peakmem import catalog, machine, runtimes
from ncnn_peakmem.baselines import BaselineStore
from ncnn_peakmem.cli import figure
from ncnn_peakmem.cli.bisect import bisect
from ncnn_peakmem.conversion import Cache, convert
from ncnn_peakmem.measurement import (
    Gauge,
    Measurement,
    MeasurementSet,
    Metric,
    Outcome,
    OutcomeKind,
    Phase,
    Reading,
)
from ncnn_peakmem.runtimes import Releases, Runtime, RuntimeNotFound, resolution

FOUND, BAD, USAGE, COULD_NOT_MEASURE, CANNOT_TELL, INTERRUPTED = 0, 1, 2, 3, 125, 130
MIB = 1 << 20
CASE = ("--case", "small-fp32-light-t1")

MODELS = """\
schema: 1
default_profile: none
reference_release: 1.0.20260526
step_timeout_seconds: 60
loops: {minimum: 2, maximum: 20, settle_factor: 2}
networks:
  small: {param: small.param}
axes:
  lightmode:
    choices: {light: {lightmode: true}, heavy: {lightmode: false}}
    default: light
    id: always
profiles:
  none: [{networks: [small], axes: []}]
  both: [{networks: [small], axes: [lightmode]}]
tolerances:
  heap:
    between_releases: {absolute: 16 KiB, relative: 0.1 %}
    same_release: {absolute: 0, relative: 0 %}
  pages:
    between_releases: {absolute: 64 KiB, relative: 0.25 %}
    same_release: {absolute: 16 KiB, relative: 0 %}
  deployed:
    between_releases: {absolute: 4 MiB, relative: 5 %}
    same_release: {absolute: 4 MiB, relative: 5 %}
"""

REAL_RESOLVE = runtimes.resolve
RANGE_TO_LATEST = ("--good", "20210101", "--bad", "latest")

Makes = int | Reading | BaseException | str
"""What a release makes of being probed: bytes, a reading, an error, or (as text) why it is not to be had."""


def ok(load_model: int, steady: int = 0) -> Reading:
    """A heap reading of these peaks."""
    peaks = {Phase.LOAD_MODEL: load_model, Phase.STEADY: steady}
    phases = {phase: {Metric.PEAK: peak, Metric.LIVE: peak // 2} for phase, peak in peaks.items()}
    return Reading(
        Outcome(OutcomeKind.OK), {phase: {**read, Metric.LIVE: 7} for phase, read in phases.items()}
    )


CRASHED = Reading(
    Outcome(OutcomeKind.CRASHED, "SIGSEGV in inference", Phase.FIRST),
    {Phase.LOAD_MODEL: {Metric.PEAK: 3 * MIB, Metric.LIVE: 7}},
)


@dataclass
class Desk:
    """The command in a folder with a models.yaml, and releases that take what the test says."""

    folder: Path
    makes: Mapping[str, Makes]
    probed: list[str] = field(default_factory=list)

    def resolve(self, name: str, *_: object, **__: object) -> Runtime:
        version = name if name.startswith("1.0.") else f"1.0.{name}"
        made = self.makes.get(version)
        if made is None or isinstance(made, str):
            raise RuntimeNotFound(made or f"{name} is no ncnn runtime")
        return Runtime(version, self.folder / version)

    def read_gauges(self, gauges: set[Gauge], build: Runtime, *_: object) -> dict[Gauge, Reading]:
        self.probed.append(build.version)
        made = self.makes[build.version]
        if isinstance(made, BaseException):
            raise made
        assert not isinstance(made, str)
        (gauge,) = gauges
        return {gauge: ok(made) if isinstance(made, int) else made}

    def bisect(self, *arguments: str) -> Result:
        places = ("--models", "models.yaml", "--cache-dir", "cache", "--baseline-dir", "baselines")
        return CliRunner().invoke(bisect, [*places, *arguments])

    def over(self, *arguments: str) -> Result:
        """Over all releases there are."""
        return self.bisect("--good", min(self.makes), "--bad", max(self.makes), *CASE, *arguments)

    def model(self) -> str:
        """The digest of the model that is run."""
        known = catalog.load(self.folder / "models.yaml")
        return convert(known.networks["small"], Cache(self.folder / "cache")).digest

    def store(self, version: str, reading: Reading, model: str) -> None:
        """A baseline of this machine class."""
        case = Measurement(CASE[1], model, {Gauge.HEAP: reading})
        figures = MeasurementSet(version, machine.detect(), {CASE[1]: case})
        BaselineStore(self.folder / "baselines").update(figures)


Desks = Callable[..., Desk]


@pytest.fixture
def project(tmp_path: Path, small_param: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "models.yaml").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def desk(project: Path, monkeypatch: pytest.MonkeyPatch) -> Desks:
    def lay(makes: Mapping[str, Makes]) -> Desk:
        made = Desk(project, {f"1.0.{name}": value for name, value in makes.items()})
        monkeypatch.setattr(runtimes, "resolve", made.resolve)
        monkeypatch.setattr(runtimes, "from_release", made.resolve)
        monkeypatch.setattr(runtimes, "releases", lambda *_: Releases(tuple(made.makes)))
        monkeypatch.setattr(figure, "read_gauges", made.read_gauges)
        return made

    return lay


RISE: Mapping[str, Makes] = {
    "20210101": 10 * MIB,
    "20210201": 10 * MIB,
    "20210301": 10 * MIB,
    "20210401": 12 * MIB,
    "20210501": 12 * MIB,
}


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


@pytest.mark.parametrize(("makes", "code", "verdict"), [(10, FOUND, "good"), (10 * MIB + 1, BAD, "bad")])
def test_build_is_judged_by_the_limit(desk: Desks, makes: int, code: int, verdict: str) -> None:
    result = desk({"20210101": makes}).bisect("--ncnn", "20210101", "--limit", "10MiB", *CASE)

    assert result.exit_code == code, result.output
    assert result.stdout.splitlines()[1].startswith(f"{verdict}: ")


def test_build_is_judged_by_a_good_one(desk: Desks) -> None:
    table = desk(RISE)

    assert table.bisect("--ncnn", "20210301", "--good", "20210101", *CASE).exit_code == FOUND
    assert table.bisect("--ncnn", "20210401", "--good", "20210101", *CASE).exit_code == BAD
    assert (
        table.bisect("--ncnn", "20210401", "--good", "20210101", "--threshold", "20%", *CASE).exit_code == 0
    )


def test_stored_figure_of_the_good_one_saves_its_probe(desk: Desks) -> None:
    table = desk(RISE)
    table.over()
    table.probed.clear()
    table.store("1.0.20210101", ok(10 * MIB), table.model())

    assert table.bisect("--ncnn", "20210401", "--good", "20210101", *CASE).exit_code == BAD
    assert table.probed == ["1.0.20210401"]


def test_answer_about_a_build_for_programs(desk: Desks) -> None:
    result = desk(RISE).bisect("--ncnn", "20210401", "--limit", "11MiB", "--json", *CASE)
    told = json.loads(result.stdout)

    assert (told["ncnn"], told["bytes"], told["limit"]) == ("1.0.20210401", 12 * MIB, 11 * MIB)
    assert told["verdict"] == "bad"


BUILD = ("--ncnn", "20210401")


@pytest.mark.parametrize(
    "arguments",
    [
        (*BUILD, *CASE),
        (*BUILD, "--limit", "1MiB"),
        (*BUILD, "--limit", "some", *CASE),
        (*BUILD, "--limit", "1MiB", "--good", "20210101", *CASE),
        (*BUILD, "--limit", "1MiB", "--bad", "20210501", *CASE),
        (*BUILD, "--limit", "1MiB", "--threshold", "1%", *CASE),
        (*BUILD, "--limit", "1MiB", "--case", "nothing"),
        (*BUILD, "--limit", "1MiB", "--no-such-flag", *CASE),
        (*BUILD, "--limit", "1MiB", "--models", "none.yaml", *CASE),
        (*BUILD, "--good", "20200101", *CASE),
        ("--ncnn=20210401", "--limit", "some", *CASE),
        ("--limit", "1MiB", *CASE, "--ncnn"),
        ("--ncnn", "", "--limit", "1MiB", *CASE),
    ],
)
def test_mistake_never_makes_a_build_bad(desk: Desks, arguments: tuple[str, ...]) -> None:
    result = desk(RISE).bisect(*arguments)

    assert result.exit_code == CANNOT_TELL, result.output
    assert "Error: " in result.stderr


@pytest.mark.parametrize(
    "makes", [CRASHED, KeyError("bug"), MemoryError(), OSError(28, "No space left on device"), SystemError()]
)
def test_failure_never_makes_a_build_bad(desk: Desks, makes: Makes) -> None:
    result = desk({"20210401": makes}).bisect(*BUILD, "--limit", "1MiB", *CASE)

    assert result.exit_code == CANNOT_TELL
    assert "Error: " in result.stderr


@pytest.mark.parametrize("asked", [("--limit", "1MiB", *BUILD), ("--good", "20210401", "--bad", "20210501")])
def test_interrupt_is_no_answer_and_stops_git(desk: Desks, asked: tuple[str, ...]) -> None:
    result = desk({"20210401": KeyboardInterrupt(), "20210501": MIB}).bisect(*asked, *CASE)

    assert result.exit_code == INTERRUPTED


@dataclass
class Bisected:
    """What git said in the end, and how it judged the commits it looked at, by their place."""

    said: str
    judged: Mapping[int, str]


@dataclass
class Repository:
    """A repository whose commits hold a build each, and `git bisect` in it."""

    folder: Path
    commits: list[str] = field(default_factory=list)

    def git(self, *arguments: str) -> str:
        identity = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        environment = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}
        result = subprocess.run(
            ["git", *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        return result.stdout + result.stderr

    def commit(self, name: str, module: str) -> None:
        (self.folder / "ncnn").mkdir(parents=True, exist_ok=True)
        if not self.commits:
            self.git("init", "-q")
        (self.folder / "ncnn" / "ncnn.py").write_text(f"{module}\n# {name}\n")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", name)
        self.commits.append(self.git("rev-parse", "HEAD").strip())

    def bisect(self, good: int, *arguments: str) -> Bisected:
        """Have git look for the first bad commit after a good one, by its place."""
        command = [sys.executable, "-c", "from ncnn_peakmem.cli.bisect import bisect; bisect()", *arguments]
        self.git("bisect", "start", self.commits[-1], self.commits[good])
        said = self.git("bisect", "run", "sh", "-c", shlex.join(command))
        log = self.git("bisect", "log")
        self.git("bisect", "reset")
        words = [shlex.split(line)[2:] for line in log.splitlines() if line.startswith("git bisect ")]
        places = {commit: place for place, commit in enumerate(self.commits)}
        judged = {places[commit]: verdict for verdict, *_, commit in words if verdict != "start"}
        return Bisected(said, judged)


@pytest.fixture
def repository(project: Path, stand_in: Callable[..., Runtime]) -> Repository:
    light = stand_in("load_model", 0).module.read_text()
    heavy = stand_in("load_model", MIB).module.read_text()
    broken = "raise ImportError('half a build')"
    repository = Repository(project / "repository")
    for number, module in enumerate([light, light, broken, light, heavy, broken, heavy]):
        repository.commit(f"build {number}", module)
    return repository


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")
def test_git_finds_the_commit_by_itself(repository: Repository, project: Path) -> None:
    places = ("--models", str(project / "models.yaml"), "--cache-dir", str(project / "cache"))
    found = repository.bisect(0, "--ncnn", ".", "--limit", "1MiB", *CASE, *places)

    assert f"{repository.commits[4]} is the first bad commit" in found.said, found.said
    assert found.judged.get(5, "skip") == "skip"
    assert found.judged[3] == "good"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")
def test_git_blames_no_commit_for_a_wrong_command_line(repository: Repository) -> None:
    found = repository.bisect(3, "--ncnn", ".", "--limmit", "1MiB", *CASE)

    assert "is the first bad commit" not in found.said
    assert found.judged == {4: "skip", 5: "skip"}
