"""The borders between rooms: no import goes up, and the measured child imports nothing of ours."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "ncnn_peakmem"
FLOORS = (
    {
        "bounded_file",
        "budget",
        "case",
        "control_groups",
        "machine",
        "measurement",
        "network",
        "owned_folder",
        "parent_death",
        "termination",
        "tolerance",
        "whole_file",
    },
    {"model_bin", "networks", "param_file", "runtimes"},
    {"catalog", "conversion", "graph", "probe"},
    {"accounting", "baselines", "run"},
    {"advice", "anatomy", "forecast", "gate", "history", "reliability", "reports"},
    {"cli"},
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(SOURCE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Every module a file names in an import, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def rooms(path: Path) -> set[str]:
    """The rooms of the engine that a file imports from."""
    parts = [name.split(".") for name in imported(path) if name.startswith("ncnn_peakmem.")]
    return {part[1] for part in parts if part[1] in FLOOR_OF}


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def test_every_room_has_a_floor() -> None:
    assert {room_of(path) for path in MODULES} - {"__init__"} == set(FLOOR_OF)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_import_goes_up(path: Path) -> None:
    room = room_of(path)
    if room != "__init__":
        above = {other for other in rooms(path) if FLOOR_OF[other] > FLOOR_OF[room]}
        assert not above


def test_no_circle_between_rooms() -> None:
    uses = {room: set[str]() for room in FLOOR_OF}
    for path in MODULES:
        if room_of(path) in uses:
            uses[room_of(path)] |= rooms(path) - {room_of(path)}
    while free := {room for room, used in uses.items() if not used}:
        uses = {room: used - free for room, used in uses.items() if room not in free}
    assert not uses


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_the_engine_knows_nothing_of_pytest(path: Path) -> None:
    assert not {
        name for name in imported(path) if name.partition(".")[0] in {"pytest", "_pytest", "fixtures"}
    }


def test_the_child_imports_what_the_interpreter_has_built_in() -> None:
    allowed = {"marshal", "posix", "sys", "time", "_frozen_importlib", "_frozen_importlib_external"}
    tracing_or_types = {"mmap", "memray", "typing", "typing.Any"}

    assert imported(SOURCE / "probe" / "child.py") == allowed | tracing_or_types
