from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from ncnn_peakmem.baselines import BaselineStore
from ncnn_peakmem.cli.history import history as history_command
from ncnn_peakmem.history import Cause, Concern, Direction, Evidence, History
from ncnn_peakmem.measurement import Gauge, MeasurementSet, Metric, Outcome, OutcomeKind, Phase
from ncnn_peakmem.reports.findings import charts, render
from ncnn_peakmem.reports.history_report import HistoryReport
from ncnn_peakmem.tolerance import Tolerances
from tests.reports.history.conftest import measured

MIB = 2**20
ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "findings.md"

KNOWN = Cause(
    "1.0.20230201",
    "Layers keep a copy.",
    Evidence.READ,
    (Concern("grows-*-light-*", Direction.MORE, metrics=frozenset({Metric.PEAK})),),
    (4414,),
)
UNSEEN = Cause(
    "1.0.20230401", "Nothing here shows it.", Evidence.LIKELY, (Concern("x", Direction.MORE),), (7,)
)


@pytest.fixture
def page(report: HistoryReport) -> str:
    return render(report, [KNOWN, UNSEEN])


def section(page: str, title: str) -> str:
    """What stands under a heading, until the next one that is as high."""
    level = title.partition(" ")[0]
    after = page.partition(f"\n{title}\n")[2]
    return re.split(rf"\n#{{1,{len(level)}}} ", after)[0]


def rows(text: str) -> dict[str, list[str]]:
    """The table rows by their first cell."""
    cells = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {row[0]: row[1:] for row in cells}


def test_the_page_says_how_it_is_made_and_from_what(page: str, report: HistoryReport) -> None:
    head = page.splitlines()[2]
    assert "`ncnn-peakmem history --stored --findings docs/findings.md`" in head
    assert f"`baselines/{report.history.machine.id}/`" in head
    measured = section(page, "## What was measured")
    assert "4 releases of ncnn: 1.0.20230101, 1.0.20230201, 1.0.20230301, 1.0.20230401." in measured
    assert "10 cases of 3 networks: falls, grows, swaps." in measured
    assert "more than 16.0 KiB or 0.1 % of its level" in measured


def test_a_network_with_a_tolerance_of_its_own_is_named(report: HistoryReport) -> None:
    def tolerances(case: str) -> Tolerances:
        shared = dict(report.tolerances(case))
        if case.startswith("falls"):
            shared[Gauge.HEAP] = shared[Gauge.PAGES]
        return shared

    measured = section(render(replace(report, tolerances=tolerances), []), "## What was measured")
    assert "whichever is larger; of falls: 64.0 KiB or 0.25 %" in measured


def test_several_threads_have_tolerances_of_their_own(history: History, tmp_path: Path) -> None:
    one, several = (f"resnet18-fp32-light-half-q8-t{threads}" for threads in (1, 2))
    store, machine = BaselineStore(tmp_path / "baselines"), history.machine
    for version, load in (("1.0.20230101", 8), ("1.0.20230201", 9)):
        cases = {case: measured(case, load * MIB) for case in (one, several)}
        store.update(MeasurementSet(version, machine, cases))
    models, page, figures = (tmp_path / name for name in ("models.yaml", "page.md", "figures.json"))
    wide = "\n  heap:\n    several_threads: {between_releases: {relative: 50 %}}"
    shipped = (ROOT / "models.yaml").read_text(encoding="utf-8")
    models.write_text(shipped.replace("\n  heap:", wide, 1), encoding="utf-8")
    folders = [
        "--models",
        f"{models}",
        "--model-dir",
        f"{ROOT}",
        "--baseline-dir",
        f"{store.folder}",
        "--machine",
        machine.id,
    ]
    command = ["--stored", "--profile", "full", "--gauge", "heap", *folders]

    result = CliRunner().invoke(history_command, [*command, "--findings", f"{page}", "--json", f"{figures}"])

    assert result.exit_code == 0, result.output
    assert {change["case"] for change in json.loads(figures.read_text())["change_points"]} == {one}
    measured_by = section(page.read_text(encoding="utf-8"), "## What was measured")
    assert (
        "16.0 KiB or 0.1 % of its level, whichever is larger; of resnet18 with several threads: "
        in measured_by
    )


def test_the_summary_tells_where_today_stands(page: str) -> None:
    short = section(page, "## In short")
    assert "Today, which is 1.0.20230401, 2 of 10 cases have never had a smaller heap peak" in short
    assert "8 have by more" in short
    assert (
        "Furthest from its best is `grows-fp32-light-half-*-t1`: +4.00 MiB (+40.0 %) above 1.0.20230101"
        in short
    )
    assert "Since the first release measured, 1 have come down and 8 have gone up." in short
    assert rows(short)["grows"] == [
        "+20.0 KiB to +4.00 MiB (+0.1 to +40.0 %)",
        "+20.0 KiB to +4.00 MiB (+0.1 to +40.0 %)",
        "20230201, 20230401",
    ]


def test_the_summary_names_the_largest_steps_and_how_many_are_explained(page: str) -> None:
    short = section(page, "## In short")
    assert (
        "The largest step up came with 1.0.20230201: heap load_model peak of `grows-fp32-light-half-*-t1`, "
        "8.00 MiB to 12.00 MiB (+50.0 %)."
    ) in short
    assert "The largest step down came with 1.0.20230401: heap load_model peak of `falls-fp32-t1`" in short
    assert (
        "Figures of `heap` left their level 55 times. The cause: read in its source 16, not known 39."
        in short
    )
    assert (
        "Figures of `pages` left their level 4 times otherwise than the heap. The cause: not known 4."
        in short
    )
    assert "either way" not in short


def test_what_fits_either_way_counts_as_nothing_else(report: HistoryReport) -> None:
    both = tuple(Concern("grows-*-light-*", way, phases=frozenset({Phase.FIRST})) for way in Direction)
    page = render(report, [KNOWN, replace(KNOWN, evidence=Evidence.EITHER_WAY, concerns=both, pulls=(8,))])
    short = section(page, "## In short")
    assert "The cause: read in its source 16, fits either way 4, not known 35." in short
    assert "had the figure gone the other way" in short
    release = section(page, "### 1.0.20230201")
    assert "**Possible cause** [#8] (fits either way; 8 figures): Layers keep a copy." in release
    assert "**Fits either way**: 4 figures, marked `±`." in release
    assert rows(release)["`grows-fp32-light-*-*-t1`"][2] == "+4.00 MiB (+36.4 to +40.0 %) [#4414] [#8]"


def test_causes_that_pull_both_ways_are_marked_where_they_stand(report: HistoryReport) -> None:
    less = replace(KNOWN, concerns=(Concern("*-light-half-*", Direction.LESS),), pulls=(8,))
    page = render(report, [KNOWN, less])
    assert "The cause: read in its source 8, fits either way 8, not known 39." in section(page, "## In short")
    cells = rows(section(page, "### 1.0.20230201"))["`grows-fp32-light-*-*-t1`"]
    assert cells[0] == "+4.00 MiB (+44.4 to +50.0 %) [#4414] ±"


def test_the_summary_tells_what_options_do_and_never_do(page: str) -> None:
    short = section(page, "## In short")
    assert "`q8` instead of `plain` changes nothing: 0 of 128 figures of `heap`" in short
    assert "`light` instead of `heavy` changes the heap peak today by -4.02 MiB (-22.3 to -21.1 %)" in short


def test_each_network_has_a_chart_and_a_row_a_fold(page: str, report: HistoryReport) -> None:
    network = section(page, "### grows")
    assert "![Heap peaks of grows by release](findings/grows.svg)" in network
    assert rows(network)["`grows-fp32-light-half-*-t1`"] == [
        "`▁███`",
        "10.00 MiB (20230101)",
        "10.00 MiB (20230101)",
        "14.00 MiB (20230201)",
        "14.00 MiB (20230401)",
        "+4.00 MiB (+40.0 %)",
    ]
    assert sorted(charts(report)) == ["falls.svg", "grows.svg", "swaps.svg"]
    assert all(f"](findings/{name})" in page for name in charts(report))


def test_a_change_is_told_with_its_cause_where_one_is_known(page: str) -> None:
    release = section(page, "### 1.0.20230201")
    assert rows(release)["`grows-fp32-light-*-*-t1`"] == [
        "+4.00 MiB (+44.4 to +50.0 %) [#4414]",
        "+4.00 MiB (+44.4 to +50.0 %) ?",
        "+4.00 MiB (+36.4 to +40.0 %) [#4414]",
        "+4.00 MiB (+36.4 to +40.0 %) [#4414]",
    ]
    assert "**Known cause** [#4414] (read in its source; 16 figures): Layers keep a copy." in release
    assert "**Cause not known to us**: 12 figures, marked `?`." in release
    assert "[#4414]: https://github.com/Tencent/ncnn/pull/4414" in page


def test_what_a_cause_explains_in_some_cases_only_keeps_its_question_mark(report: HistoryReport) -> None:
    some = replace(KNOWN, concerns=(Concern("*-light-half-*", Direction.MORE),))
    cells = rows(section(render(report, [some]), "### 1.0.20230201"))["`grows-fp32-light-*-*-t1`"]
    assert cells[0] == "+4.00 MiB (+44.4 to +50.0 %) [#4414] ?"


def test_a_cause_is_told_only_where_the_data_shows_it(page: str) -> None:
    assert "[#4414]" not in section(page, "### 1.0.20230401")
    unseen = section(page, "### Known, but not seen in these cases")
    assert "1.0.20230401 [#7]: Nothing here shows it." in unseen
    assert "Layers keep a copy" not in unseen


@pytest.mark.parametrize(
    ("release", "told"), [("1.0.20230101", False), ("1.0.20230102", True), ("1.0.20230402", False)]
)
def test_a_cause_from_outside_the_history_could_not_be_seen(
    report: HistoryReport, release: str, told: bool
) -> None:
    page = render(report, [replace(UNSEEN, release=release)])
    assert (UNSEEN.told in page) is told
    assert ("[#7]: https" in page) is told


def test_a_release_that_changed_nothing_is_named_as_such(page: str) -> None:
    assert "No figure left its level on 1.0.20230301." in page


def test_growth_bit_by_bit_is_said_to_be(page: str) -> None:
    heavy = rows(section(page, "### 1.0.20230401"))["`grows-fp32-heavy-*-*-t1`"]
    assert heavy[2] == "+20.0 KiB (+0.1 %) bit by bit ?"
    assert heavy[:2] == ["", ""]


def test_what_the_process_does_is_told_apart_from_the_heap(page: str) -> None:
    release = section(page, "### 1.0.20230401")
    assert "3 figures of the process moved along with the heap." in release
    assert "`pages`, otherwise than the heap: 4 figures of 1 case moved, +1.00 MiB." in release
    assert "<summary>4 figures of <code>pages</code> without a known cause</summary>" in release
    assert "| `falls-fp32-t1` | pages load_model/first/steady vm_peak | +1.00 MiB" in release


def test_what_the_process_does_for_a_known_cause_needs_no_table(report: HistoryReport) -> None:
    wheel = Cause("1.0.20230401", "It maps.", Evidence.MEASURED, (Concern("*", Direction.MORE, Gauge.PAGES),))
    release = section(render(report, [wheel]), "### 1.0.20230401")
    assert "**Known cause** (measured apart from this history; 4 figures): It maps." in release
    assert "4 figures of 1 case moved, +1.00 MiB; explained above." in release
    assert "<details>" not in release


def test_options_have_a_table_where_they_change_something(page: str) -> None:
    assert rows(section(page, "### `light` instead of `heavy`"))["grows"] == [
        "112 of 128",
        "-8.00 MiB",
        "-4.00 MiB",
        "-4.02 MiB (-22.3 to -21.1 %)",
    ]
    never = section(page, "### `q8` instead of `plain`")
    assert "Nothing: 0 of 128 figures of `heap` and 0 of 128 figures of `pages` differ." in never
    assert not rows(never)


def test_outcomes_and_gaps_are_told_where_there_are_any(page: str, report: HistoryReport) -> None:
    assert rows(section(page, "## How probes ended"))["`falls-fp32-t1`"] == [
        "1.0.20230301",
        "heap/pages",
        "crashed in first: SIGSEGV",
        "ok",
    ]
    missing = section(page, "## Not measured, or not compared")
    assert "On 1.0.20230201 with `heap` and `pages`: `falls-fp32-t1`." in missing
    assert "From 1.0.20230301 on another model of `swaps-fp32-t1`" in missing
    cases = ("grows-fp32-light-half-q8-t1", "grows-fp32-heavy-half-q8-t1")
    calm = tuple(
        replace(release, cases={case: release.cases[case] for case in cases})
        for release in report.history.releases
    )
    bare = render(replace(report, history=History(report.history.machine, calm)), [])
    assert "Every case ran to its end on every release it was measured on." in bare
    assert "## How probes ended" not in bare
    assert "## Not measured" not in bare


def test_what_a_crash_prints_cannot_break_the_page(history: History, report: HistoryReport) -> None:
    first, *others = history.releases
    case = first.cases["falls-fp32-t1"]
    end = Outcome(OutcomeKind.CRASHED, "SIGSEGV in <conv|1>\n[#9] `oops", Phase.FIRST)
    readings = {gauge: replace(read, outcome=end) for gauge, read in case.readings.items()}
    cases = {**first.cases, case.case: replace(case, readings=readings)}
    odd = replace(history, releases=(replace(first, cases=cases), *others))
    page = render(replace(report, history=odd), [])
    row = rows(section(page, "## How probes ended"))["`falls-fp32-t1`"]
    assert row[2] == "crashed in first: SIGSEGV in &#60;conv&#124;1&#62; &#91;#9&#93; &#96;oops"


def test_a_single_release_makes_a_page_too(report: HistoryReport) -> None:
    one = replace(report, history=replace(report.history, releases=report.history.releases[-1:]))
    page = render(one, [KNOWN])
    assert "1 release of ncnn: 1.0.20230401." in page
    assert "at its best" in page


def test_every_table_is_whole(page: str) -> None:
    width = 0
    for line in page.splitlines():
        cells = line.count("|") if line.startswith("|") else 0
        assert not (width and cells) or cells == width
        width = cells


def test_the_committed_page_is_what_its_command_makes_of_the_committed_history(tmp_path: Path) -> None:
    committed = PAGE.read_text(encoding="utf-8")
    # Other classes may be stored beside the one that the page is of.
    machine = committed.partition("from `baselines/")[2].partition("/`")[0]
    page = tmp_path / PAGE.name
    folders = ["--models", f"{ROOT / 'models.yaml'}", "--baseline-dir", f"{ROOT / 'baselines'}"]
    command = ["--stored", "--machine", machine, *folders, "--findings", f"{page}"]
    result = CliRunner().invoke(history_command, command)
    assert result.exit_code == 0, result.output
    again = "run ncnn-peakmem history --stored --findings docs/findings.md"
    assert committed == page.read_text(encoding="utf-8"), again
    assert charts_beside(PAGE) == charts_beside(page), again


def charts_beside(page: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in page.with_suffix("").iterdir()}
