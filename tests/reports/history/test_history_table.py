from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from ncnn_peakmem.history import History
from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.reports.history_report import HistoryReport
from ncnn_peakmem.reports.history_table import tables
from ncnn_peakmem.tolerance import GaugeTolerance, Tolerance, Tolerances

MIB = 2**20


def printed(report: HistoryReport, width: int = 100, *, verbose: bool = False) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as capture:
        console.print(tables(report, verbose=verbose))
    return [line.rstrip() for line in capture.get().splitlines()]


def lines_after(lines: list[str], start: str) -> list[str]:
    return lines[next(place for place, line in enumerate(lines) if line.startswith(start)) :]


def test_a_fold_has_a_line_with_its_peaks_and_one_with_their_releases(report: HistoryReport) -> None:
    lines = lines_after(printed(report), "grows-fp32")
    sizes = next(place for place, line in enumerate(lines) if line.startswith("  light-half-*-t1"))
    told = [re.split(r" {2,}", line.strip()) for line in lines[sizes : sizes + 2]]
    assert told == [
        ["light-half-*-t1", "10.00 MiB", "10.00 MiB", "14.00 MiB", "14.00 MiB", "+4.00 MiB"],
        ["▁███", "20230101", "20230101", "20230201", "20230401", "+40.0 %"],
    ]


def test_a_release_without_a_figure_is_a_dot_in_the_trend(report: HistoryReport) -> None:
    lines = lines_after(printed(report), "falls-fp32")
    assert lines[2].split()[0] == "··█▁"
    assert "at its best" in lines[1]


def test_only_what_equals_the_best_is_at_its_best(report: HistoryReport) -> None:
    lines = lines_after(printed(report), "grows-fp32")
    assert lines[1].endswith("+20.0 KiB")
    assert not [line for line in lines if "at its best" in line and line.startswith("  heavy")]


def test_change_points_stand_under_their_release_and_case(report: HistoryReport) -> None:
    lines = lines_after(printed(report), "ncnn 1.0.20230201")
    assert re.split(r" {2,}", lines[0]) == ["ncnn 1.0.20230201", "before", "after", "change"]
    assert lines[1] == "  grows-fp32-light-*-*-t1"
    cells = ["", "heap load_model/first/steady peak+live", "8.00 MiB", "12.00 MiB", "+4.00 MiB", "+44.4 %"]
    assert re.split(r" {2,}", lines[2]) == cells
    assert re.split(r" {2,}", lines[3]) == ["", "to 9.00 MiB", "to 13.00 MiB", "to +50.0 %"]
    assert lines[4] == "  28 figures of the process moved along with the heap"


def test_columns_are_named_only_where_there_are_rows(report: HistoryReport) -> None:
    def tolerances(case: str) -> Tolerances:
        heap = GaugeTolerance(Tolerance(64 * MIB), Tolerance())
        return {**report.tolerances(case), Gauge.HEAP: heap}

    lines = printed(replace(report, tolerances=tolerances))
    echoes = lines_after(lines, "ncnn 1.0.20230201")
    assert echoes[0] == "ncnn 1.0.20230201"
    assert echoes[1] == "  28 figures of the process moved along with the heap"
    summed = lines_after(lines, "ncnn 1.0.20230401")
    assert summed[0] == "ncnn 1.0.20230401"
    assert summed[1].startswith("  pages otherwise than the heap")


def test_options_are_told_in_a_line_each(report: HistoryReport) -> None:
    lines = printed(report, width=200)
    assert (
        "q8 instead of plain changes nothing: 0 of 128 figures of heap and 0 of 128 figures of pages differ."
        in lines
    )
    assert "light instead of heavy changes the heap peak today by -4.02 MiB (-22.3 to -21.1 %)." in lines


def test_growth_bit_by_bit_is_said_to_be(report: HistoryReport) -> None:
    assert any("heap first/steady peak+live, bit by bit" in line for line in printed(report))


def test_what_the_process_does_otherwise_is_summed_up_unless_asked_for(report: HistoryReport) -> None:
    brief, whole = printed(report), printed(report, verbose=True)
    summed = "  pages otherwise than the heap: +1.00 MiB in 4 figures of 1 case"
    row = "    pages load_model/first/steady vm_peak"
    assert summed in brief
    assert summed not in whole
    assert not any(line.startswith(row) for line in brief)
    assert any(line.startswith(row) for line in whole)


def test_what_figures_cannot_tell_stands_at_the_end(report: HistoryReport) -> None:
    notes = [line for line in printed(report, width=200) if line][-3:]
    assert notes == [
        "from 1.0.20230301 on falls-fp32-t1 heap/pages ok; on 1.0.20230101: crashed in first: SIGSEGV",
        "from 1.0.20230301 on another model: swaps-fp32-t1; what was before is not compared",
        "1.0.20230201 lacks heap/pages of falls-fp32-t1",
    ]


def test_a_case_that_never_ran_is_told_without_figures(history: History, report: HistoryReport) -> None:
    first = replace(report, history=History(history.machine, history.releases[:1]))
    lines = printed(first, width=200)
    assert "falls-fp32-t1 crashed in first: SIGSEGV, when it was last measured" in lines
    assert "no figure left its level on any release" in lines


@pytest.mark.parametrize("width", [80, 100, 120])
def test_nothing_is_cut_off(report: HistoryReport, width: int) -> None:
    lines = printed(report, width, verbose=True)
    assert max(map(len, lines)) <= width
    assert not [line for line in lines if "…" in line]
