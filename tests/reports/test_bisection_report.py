"""A bisection in words."""

from __future__ import annotations

from collections.abc import Mapping

from ncnn_peakmem.history.bisection import Sample, bisect
from ncnn_peakmem.reports.bisection import document, probe_line, verdict_lines
from ncnn_peakmem.tolerance import Tolerance

MIB = 1 << 20


def told(takes: Mapping[str, int | None], *, limit: int = 10, thorough: bool = False) -> list[str]:
    """The verdict on releases that take so many MiB."""

    def measure(release: str) -> Sample:
        taken = takes[release]
        return Sample(release, None if taken is None else taken * MIB, "" if taken else "crashed")

    found = bisect(list(takes), measure, limit * MIB, tolerance=Tolerance(absolute=MIB), thorough=thorough)
    return list(verdict_lines(found))


def test_plain_rise() -> None:
    assert told({"a": 8, "b": 12}) == [
        "first bad b: 12.00 MiB, +4.00 MiB (+50.0 %) against 8.00 MiB of a, the last good",
        "among the releases looked at the figures only grow",
    ]


def test_fall_that_does_not_cross_the_limit() -> None:
    assert told({"a": 8, "b": 14, "c": 12})[1] == (
        "the figures do not only grow, though they cross the limit but once"
    )


def test_every_turn_is_told() -> None:
    assert told({"a": 8, "b": 12, "c": 8, "d": 12}, thorough=True)[1] == (
        "the history goes up and down: bad from b, good from c, bad from d"
    )


def test_gap_in_the_pair_is_told_apart_from_one_before_it() -> None:
    lines = told({"a": 8, "b": None, "c": 8, "d": None, "e": 12}, thorough=True)

    assert lines[1] == "or d, which could not be measured"
    assert lines[-1] == "could not be measured, and may have been bad before: b"


def test_releases_passed_over_are_named() -> None:
    lines = told(dict.fromkeys("abcdefgh", 8) | {"i": 12})

    assert lines[-1] == "not looked at, and may have been bad before (--thorough looks): b, d"


def test_line_of_a_probe() -> None:
    assert probe_line(Sample("1.0.20230223", 24 * MIB), 20 * MIB, "stored").split() == [
        "1.0.20230223",
        *("24.00", "MiB"),
        "bad",
        "stored",
    ]
    assert "cannot tell   no wheel" in probe_line(Sample("x", None, "no wheel"), 1, "measured")


def test_document_tells_where_a_figure_is_from() -> None:
    found = bisect(["a", "b"], lambda release: Sample(release, {"a": 1, "b": 3}[release]), 2)

    samples = document(found, frozenset({"a"}))["samples"]
    assert [(sample["release"], sample["origin"]) for sample in samples] == [
        ("a", "stored"),
        ("b", "measured"),
    ]
