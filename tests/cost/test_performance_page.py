"""docs/performance.md is what its data renders to, and an aim that is missed is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.cost.figure import PARTS, Aim, Figure, Part, read, write
from benchmarks.cost.page import COMMAND, DATA, PAGE, renewed, table

MET = Figure("probe / script", (1.05, 1.0, 1.3), aim=Aim(1.1, "Probes start."))
MISSED = Figure("one worker / two", (1.5,), aim=Aim(1.8, "The last case is long.", at_least=True))
MEASURED = {"probe": Part("x86_64-2c", 2, (0.1, 0.5), (MET, MISSED, Figure("collection", (2.0,), "s")))}


def row(name: str) -> str:
    (line,) = (line for line in table(MEASURED) if line.startswith(f"| {name}"))
    return line


def test_committed_page_is_what_its_data_renders_to() -> None:
    page = PAGE.read_text()

    assert renewed(page, read(DATA)) == page, f"make it anew: {COMMAND}"


def test_committed_data_has_every_part_and_each_missed_aim_its_reason() -> None:
    parts, page = read(DATA), PAGE.read_text()

    assert tuple(parts) == PARTS, f"measure what it lacks: {COMMAND} --missing"
    for name, part in parts.items():
        assert part.figures, name
        for figure in part.figures:
            assert figure.aim is None or figure.aim.why, figure.name
            assert not figure.missed_by or (figure.aim and figure.aim.why in page), figure.name


def test_data_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path / "data.json", MEASURED)

    assert read(tmp_path / "data.json") == MEASURED


def test_no_data_is_no_parts(tmp_path: Path) -> None:
    assert read(tmp_path / "data.json") == {}


def test_a_row_has_median_range_and_aim() -> None:
    assert row("probe") == "| probe / script | 1.05 | 1.00 to 1.30 | 3 | <= 1.1 | met |"
    assert row("collection") == "| collection | 2.00 s |  | 1 |  |  |"


def test_a_missed_aim_says_by_how_much_and_why() -> None:
    assert row("one worker").endswith("| >= 1.8 | **missed** |")
    assert "- one worker / two: 1.50, by 17 % of the aim. The last case is long." in table(MEASURED)
    assert not any(line.startswith("- probe / script") for line in table(MEASURED))


@pytest.mark.parametrize(
    ("aim", "measured", "missed"),
    [
        (Aim(2, "x"), 2.0, 0),
        (Aim(2, "x"), 3.0, 50),
        (Aim(2, "x"), 1.0, 0),
        (Aim(2, "x", at_least=True), 1.0, 50),
        (None, 9.0, 0),
    ],
)
def test_which_side_of_an_aim_is_wrong(aim: Aim | None, measured: float, missed: float) -> None:
    assert Figure("figure", (measured,), aim=aim).missed_by == missed


def test_the_text_around_the_table_stays() -> None:
    page = f"before\n<!-- made by `{COMMAND}`: -->\nold\n<!-- made until here -->\nafter\n"

    once = renewed(page, MEASURED)

    assert once.startswith("before\n")
    assert once.endswith("\nafter\n")
    assert "old" not in once
    assert renewed(once, MEASURED) == once
