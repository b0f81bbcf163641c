from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as Xml

import pytest

from ncnn_peakmem.reports.history_chart import chart
from ncnn_peakmem.reports.history_report import HistoryReport

SVG = "{http://www.w3.org/2000/svg}"


def drawn(report: HistoryReport, network: str) -> Xml.Element:
    return Xml.fromstring(chart(report, network))


def lines(svg: Xml.Element) -> list[str]:
    return [path.attrib["d"] for path in svg.iter(f"{SVG}path") if path.attrib.get("fill") == "none"]


def texts(svg: Xml.Element) -> list[str]:
    return [text.text or "" for text in svg.iter(f"{SVG}text")]


def test_a_network_has_two_panels_with_a_line_a_fold(report: HistoryReport) -> None:
    svg = drawn(report, "grows")
    assert len(lines(svg)) == 2 * 4
    assert len(list(svg.iter(f"{SVG}circle"))) == 2 * 4 * 4
    told = texts(svg)
    assert "grows-fp32-light-half-*-t1" in told
    assert told.count("20230201") == 2
    assert not [text for text in told if text.startswith("falls")]


def test_more_bytes_are_drawn_higher(report: HistoryReport) -> None:
    light = lines(drawn(report, "grows"))[2]
    heights = [float(y) for _, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", light)]
    assert heights[0] > heights[1] == heights[2] == heights[3]


def test_the_scale_begins_at_zero_and_ends_above_the_largest(report: HistoryReport) -> None:
    ticks = [float(text) for text in texts(drawn(report, "grows")) if re.fullmatch(r"[\d.]{1,4}", text)]
    assert ticks == [0, 5, 10, 15, 20] * 2


def test_a_line_breaks_off_where_there_is_no_figure(report: HistoryReport) -> None:
    loading, looping = lines(drawn(report, "falls"))
    assert re.sub(r"[\d. ]", "", loading) == "MML"
    assert re.sub(r"[\d. ]", "", looping) == "ML"


def test_everything_stays_inside_the_picture(report: HistoryReport) -> None:
    svg = drawn(report, "grows")
    width, height = (float(svg.attrib[name]) for name in ("width", "height"))
    for x, y in (pair for line in lines(svg) for pair in re.findall(r"[ML]([\d.]+) ([\d.]+)", line)):
        assert 0 <= float(x) <= width
        assert 0 <= float(y) <= height
    assert max(float(text.attrib["y"]) for text in svg.iter(f"{SVG}text")) <= height


@pytest.mark.parametrize("network", ["swaps", "nothing"])
def test_a_network_of_one_figure_or_none_can_be_drawn(report: HistoryReport, network: str) -> None:
    first = replace(report.history, releases=report.history.releases[:1])
    assert drawn(replace(report, history=first), network).tag == f"{SVG}svg"
