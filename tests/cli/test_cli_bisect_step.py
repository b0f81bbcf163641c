"""`ncnn-peakmem bisect` as the judge of one build, which is a step of `git bisect run`."""

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

from ncnn_peakmem.runtimes import Runtime
from tests.cli.desk import BAD, CANNOT_TELL, CASE, CRASHED, FOUND, INTERRUPTED, MIB, RISE, Desks, Makes, ok


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
