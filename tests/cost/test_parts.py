"""`python -m benchmarks.cost`: a part is kept as soon as it is measured, and fails alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.cost import __main__ as command
from benchmarks.cost import parent, probes, reporting, suite_runs
from benchmarks.cost.figure import Figure, Part, read, write
from benchmarks.cost.page import COMMAND
from ncnn_peakmem.reliability.rival import NotTimed

WAYS = (
    (probes, "against_scripts"),
    (probes, "against_heaptrack"),
    (suite_runs, "profile"),
    (suite_runs, "collection"),
    (reporting, "reports"),
    (parent, "memory"),
)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data file and a page of their own, and parts that measure nothing, each named as its function."""
    (tmp_path / "page.md").write_text(f"<!-- made by `{COMMAND}`: -->\n<!-- made until here -->\n")
    monkeypatch.setattr(command, "DATA", tmp_path / "data.json")
    monkeypatch.setattr(command, "PAGE", tmp_path / "page.md")
    for room, name in WAYS:

        def figures(*_: object, name: str = name) -> Iterator[Figure]:
            yield Figure(name, (1.0,))

        monkeypatch.setattr(room, name, figures)
    return tmp_path / "data.json"


def failing(*_: object) -> Iterator[Figure]:
    yield Figure("half of it", (1.0,))
    raise NotTimed("heaptrack is not installed")


def test_a_part_that_fails_keeps_its_figures_and_takes_no_other_with_it(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = Part("x86_64-2c", 2, (0.1, 0.5), (Figure("earlier", (2.0,)),))
    write(data, {"heaptrack": earlier})
    monkeypatch.setattr(probes, "against_heaptrack", failing)

    told = CliRunner().invoke(command.main, [])

    assert told.exit_code == 1
    assert "part heaptrack failed" in told.output
    assert "heaptrack is not installed" in told.output
    kept = read(data)
    assert tuple(kept) == ("probe", "heaptrack", "profile", "collection", "report", "parent")
    assert kept["heaptrack"] == earlier
    assert [figure.name for figure in kept["parent"].figures] == ["memory"]
    assert "| memory |" in data.with_name("page.md").read_text()


def test_a_part_is_kept_before_the_next_one_begins(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, ...]] = []

    def looking(*_: object) -> Iterator[Figure]:
        seen.append(tuple(read(data)))
        yield Figure("looked", (1.0,))

    monkeypatch.setattr(suite_runs, "profile", looking)

    assert CliRunner().invoke(command.main, []).exit_code == 0
    assert seen == [("probe", "heaptrack")]


def test_what_is_there_is_not_measured_again_where_only_the_missing_is_asked_for(data: Path) -> None:
    earlier = Part("x86_64-2c", 2, (0.1, 0.5), (Figure("earlier", (2.0,)),))
    write(data, {"report": earlier})

    assert CliRunner().invoke(command.main, ["--missing"]).exit_code == 0
    assert read(data)["report"] == earlier
    assert len(read(data)) == len(WAYS)


def test_a_dry_run_writes_nothing(data: Path) -> None:
    assert CliRunner().invoke(command.main, ["--dry"]).exit_code == 0
    assert not data.exists()


def test_without_heaptrack_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)

    with pytest.raises(NotTimed, match="not installed"):
        next(probes.against_heaptrack(1))
