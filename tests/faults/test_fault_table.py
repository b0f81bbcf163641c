"""The table of faults in docs/reliability.md is that of the tests, and no fault that was promised is missing.

Each test here says with `@pytest.mark.fault(fault, how it ends)` what it injects. Where such a line changed,
`NCNN_PEAKMEM_WRITE_PAGE=1 pytest tests/faults/test_fault_table.py` writes the table again.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reliability.md"
BEGIN = "<!-- faults: written by tests/faults/test_fault_table.py -->\n"
END = "<!-- end of faults -->\n"
ROOMS = {
    "child": "The measured child",
    "machine": "The machine under it",
    "session": "The session",
    "storage": "Disks, caches and baselines",
}
"""Whose faults a file tells, by the word after `test_`; in the order of the page."""

PROMISED = (
    *("SIGKILL", "SIGSEGV", "SIGABRT", "RLIMIT_AS", "cgroup", "hangs", "floods stderr", "parent .*killed"),
    *(
        f"{disk}.*{doing}"
        for disk in ("disk.* full", "read-only")
        for doing in ("convert", "cach", "baseline", "report")
    ),
    *("Ctrl-C", "SIGTERM", "cache.*truncated", "cache.*flipped"),
    *("baseline.*truncated", "baseline.*merged", "baseline.*newer schema", "baseline.*duplicate"),
    *("baseline.*conflict marker", "clock", "two runs.*baseline", "package index|PyPI", "crashes ncnn"),
    *("/proc", "hidepid", r"personality\(2\)", "unprivileged user", "read-only home", "sysfs"),
)
"""Patterns, each of which the words for some fault must match."""


@dataclass(frozen=True)
class Row:
    """A fault and the test that injects it."""

    fault: str
    end: str
    file: str
    test: str

    @property
    def room(self) -> str:
        return self.file.split("_")[1].removesuffix(".py")


def marks(path: Path) -> Iterator[Row]:
    """The faults that the tests of a file say they inject, in their order."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for mark in node.decorator_list:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.fault":
                fault, end = map(ast.literal_eval, mark.args)
                yield Row(fault, end, path.name, node.name)


def rows() -> list[Row]:
    found = [row for path in sorted(HERE.glob("test_*.py")) for row in marks(path)]
    return sorted(found, key=lambda row: list(ROOMS).index(row.room))


def table(found: list[Row]) -> str:
    lines: list[str] = []
    for room, title in ROOMS.items():
        of_room = [row for row in found if row.room == room]
        if of_room:
            lines += [f"### {title}", "", "| fault | how it ends | test |", "|---|---|---|"]
            lines += [f"| {row.fault} | {row.end} | `{row.file}`: `{row.test}` |" for row in of_room]
            lines += [""]
    return "\n".join(lines)


def test_page_is_up_to_date() -> None:
    before, begin, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    shown, end, after = rest.partition(END)
    assert begin
    assert end
    if os.environ.get("NCNN_PEAKMEM_WRITE_PAGE"):
        PAGE.write_text(f"{before}{BEGIN}\n{table(rows())}\n{END}{after}", encoding="utf-8")
    else:
        assert shown.strip() == table(rows()).strip()


@pytest.mark.parametrize("promised", PROMISED)
def test_promised_fault_has_a_row(promised: str) -> None:
    assert [row for row in rows() if re.search(promised, row.fault, re.IGNORECASE)]


def test_every_test_here_says_its_fault() -> None:
    told = {(row.file, row.test) for row in rows()}
    for path in set(HERE.glob("test_*.py")) - {Path(__file__)}:
        tests = [node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
        assert [name for name in tests if name.startswith("test_") and (path.name, name) not in told] == []


def test_words_fit_into_a_table() -> None:
    for row in rows():
        assert "|" not in row.fault + row.end
        assert "\n" not in row.fault + row.end
