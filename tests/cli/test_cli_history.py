"""`ncnn-peakmem history`, on releases that stand in for real ones."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click.testing
import pytest
from rich.console import Console

from ncnn_peakmem import machine
from ncnn_peakmem.baselines import BaselineStore, Update
from ncnn_peakmem.cli.history import history
from ncnn_peakmem.cli.sweep_progress import shown
from ncnn_peakmem.history.crew import Errand
from ncnn_peakmem.history.progress import CaseBegun, CaseDone, Note, ReleaseDone, Tally
from ncnn_peakmem.machine import MachineClass
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
from ncnn_peakmem.runtimes import Runtime
from tests.models_file import EXACT, models_file

USAGE, COULD_NOT_MEASURE, INTERRUPTED = 2, 3, 130
OLD, NEW = "1.0.20250101", "1.0.20260101"
LIGHT, HEAVY = "small-fp32-light-t1", "small-fp32-heavy-t1"
OK = Outcome(OutcomeKind.OK)
ELSEWHERE = MachineClass("riscv64", (), 1 << 20, 4, 4096, "glibc2.40")

MODELS = models_file(
    {"both": "{networks: all, axes: [lightmode]}", "light": "{networks: all, axes: []}"},
    reference="1.0.20260101",
    loops=(12, 400),
    tolerances=EXACT,
)

Run = Callable[..., click.testing.Result]


@pytest.fixture
def store(tmp_path: Path) -> BaselineStore:
    return BaselineStore(tmp_path / "baselines")


@pytest.fixture
def run(
    small_param: Path,
    stand_in: Callable[..., Runtime],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """Runs the command, with the quickest gauge, where two releases are to be had; the newer holds more."""
    assert small_param.parent == tmp_path
    (tmp_path / "models.yaml").write_text(MODELS)
    for version, held in ((OLD, 0), (NEW, 1 << 20)):
        package = stand_in(Phase.LOAD_MODEL, held).module
        package.write_text(f"{package.read_text()}\n__version__ = {version!r}\n")
        folder = release_folder(tmp_path, version)
        folder.parent.mkdir(parents=True, exist_ok=True)
        package.parents[1].rename(folder)
    monkeypatch.chdir(tmp_path)
    stand_in_for_pip(tmp_path, monkeypatch)

    def run(*arguments: object, gauges: tuple[str, ...] = ("pages",)) -> click.testing.Result:
        chosen = [part for gauge in gauges for part in ("--gauge", gauge)]
        given = [*chosen, "--cache-dir", "cache", *map(str, arguments)]
        result = click.testing.CliRunner().invoke(history, given)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def release_folder(tmp_path: Path, version: str) -> Path:
    return tmp_path / "cache" / "runtimes" / f"release-{version}-{sys.implementation.cache_tag}"


def stand_in_for_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pip that knows of both releases and of one more, and can install none."""
    package = tmp_path / "index" / "pip"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    answer = json.dumps({"versions": [OLD, "1.0.20250606", NEW]})
    (package / "__main__.py").write_text(
        f"import sys\nif 'index' in sys.argv: print({answer!r})\nelse: sys.exit('ERROR: no such wheel')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(package.parent))


def cases(store: BaselineStore, here: MachineClass) -> dict[str, list[str]]:
    return {str(version): sorted(store.load(here, version).cases) for version in store.versions(here)}


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("1.0.")]


def figures(peak: int) -> dict[Gauge, Reading]:
    phases = {Phase.LOAD_MODEL: {Metric.PEAK: peak, Metric.LIVE: peak}}
    return {Gauge.HEAP: Reading(OK, phases)}


def test_cases_are_measured_on_releases_and_told(run: Run, store: BaselineStore) -> None:
    result = run("--releases", f"{OLD},{NEW}")

    assert result.exit_code == 0, result.stderr
    assert cases(store, machine.detect()) == {OLD: [HEAVY, LIGHT], NEW: [HEAVY, LIGHT]}
    assert lines(result.stderr) == [
        f"{NEW}  2 measured  (2 of 4 cases)",
        f"{OLD}  2 measured  (4 of 4 cases)",
    ]
    # The newer one holds a MiB more, which is what a history is for.
    assert "+1.00 MiB" in result.stdout
    assert "2 cases on 2 releases" in result.stdout


def test_second_time_nothing_is_measured(run: Run, tmp_path: Path) -> None:
    first = run("--releases", NEW)
    # Not even the release is needed.
    shutil.rmtree(release_folder(tmp_path, NEW))

    again = run("--releases", NEW)

    assert lines(again.stderr) == [f"{NEW}  0 measured, 2 stored before  (0 of 0 cases)"]
    assert again.stdout == first.stdout


def test_again_measures_once_more(run: Run) -> None:
    run("--releases", NEW, "--case", LIGHT)

    result = run("--releases", NEW, "--case", LIGHT, "--again")

    assert lines(result.stderr) == [f"{NEW}  1 measured  (1 of 1 case)"]


@pytest.mark.parametrize(
    ("picked", "ids"),
    [
        (["--case", "*-light-*"], [LIGHT]),
        (["--case", LIGHT, "--case", "*heavy*"], [HEAVY, LIGHT]),
        (["--profile", "light"], [LIGHT]),
        ([], [HEAVY, LIGHT]),
    ],
)
def test_cases_are_picked(run: Run, store: BaselineStore, picked: list[str], ids: list[str]) -> None:
    assert run("--releases", "20260101", *picked).exit_code == 0

    assert cases(store, machine.detect()) == {NEW: ids}


def test_report_is_of_the_selection_alone(run: Run, tmp_path: Path) -> None:
    run("--releases", f"{OLD},{NEW}")

    run("--releases", OLD, "--case", LIGHT, "--json", "one.json")
    run("--stored", "--releases", OLD, "--case", LIGHT, "--json", "stored.json")

    text = (tmp_path / "one.json").read_text()
    assert LIGHT in text
    assert HEAVY not in text
    assert NEW not in text
    assert (tmp_path / "stored.json").read_text() == text


def test_exact_gauges_are_the_default(run: Run, store: BaselineStore) -> None:
    result = run("--releases", NEW, "--case", LIGHT, gauges=())

    assert result.exit_code == 0, result.stderr
    (release,) = [store.load(machine.detect(), version) for version in store.versions(machine.detect())]
    assert {*release.cases[LIGHT].readings} == {Gauge.HEAP, Gauge.PAGES}


@pytest.mark.parametrize(("page", "folder"), [("found.md", "found"), ("found", "found-charts")])
def test_files_are_written(run: Run, tmp_path: Path, page: str, folder: str) -> None:
    chosen = ("--releases", NEW, "--case", LIGHT)

    result = run(*chosen, "--json", "history.json", "--findings", page, gauges=("heap",))

    assert result.exit_code == 0, result.stderr
    document = json.loads((tmp_path / "history.json").read_text())
    assert (document["releases"], [case["case"] for case in document["cases"]]) == ([NEW], [LIGHT])
    assert f"{folder}/small.svg" in (tmp_path / page).read_text()
    assert "<svg" in (tmp_path / folder / "small.svg").read_text()


def test_release_that_is_not_to_be_had_is_told(run: Run, store: BaselineStore) -> None:
    result = run("--case", LIGHT)

    assert result.exit_code == 0
    assert {*cases(store, machine.detect())} == {OLD, NEW}
    newer, refused, older = lines(result.stderr)
    assert newer == f"{NEW}  1 measured  (1 of 3 cases)"
    assert refused.startswith("1.0.20250606  left out: ")
    assert "no such wheel" in refused
    assert older == f"{OLD}  1 measured  (2 of 2 cases)"


def test_nothing_could_be_measured(run: Run) -> None:
    result = run("--releases", "20250606")

    assert result.exit_code == COULD_NOT_MEASURE
    assert "no such wheel" in result.stderr
    assert "baselines has nothing of these cases and releases" in result.stderr
    assert result.stdout == ""


def test_network_that_has_no_model(run: Run, store: BaselineStore, tmp_path: Path) -> None:
    (tmp_path / "small.param").write_text("776")

    result = run("--releases", NEW)

    assert result.exit_code == COULD_NOT_MEASURE
    assert "small.param:1" in result.stderr
    assert cases(store, machine.detect()) == {NEW: [HEAVY, LIGHT]}


def test_another_machine_class_is_reported(run: Run, store: BaselineStore) -> None:
    for version, peak in ((OLD, 1000), (NEW, 3 << 20)):
        stored = Measurement(LIGHT, "digest", figures(peak))
        store.update(MeasurementSet(version, ELSEWHERE, {LIGHT: stored}))

    result = run("--stored", "--machine", ELSEWHERE.id, gauges=("heap",))

    assert result.exit_code == 0, result.stderr
    assert ELSEWHERE.id in result.stdout
    assert "3.00 MiB" in result.stdout


def test_nothing_is_stored_for_this_machine_but_one_other(run: Run, store: BaselineStore) -> None:
    store.update(MeasurementSet(NEW, ELSEWHERE, {LIGHT: Measurement(LIGHT, "digest", figures(1))}))

    result = run("--stored", gauges=("heap",))

    assert result.exit_code == 0, result.stderr
    assert ELSEWHERE.id in result.stdout
    (line,) = result.stderr.splitlines()
    assert line == (
        f"baselines has nothing of this machine's class, {machine.detect().id}: "
        f"this is the only one stored, {ELSEWHERE.id}"
    )


def test_what_is_stored_for_this_machine_is_told_first(run: Run, store: BaselineStore) -> None:
    for here, peak in ((ELSEWHERE, 1), (machine.detect(), 3 << 20)):
        store.update(MeasurementSet(NEW, here, {LIGHT: Measurement(LIGHT, "digest", figures(peak))}))

    result = run("--stored", gauges=("heap",))

    assert result.exit_code == 0, result.stderr
    assert "3.00 MiB" in result.stdout
    assert result.stderr == ""


def test_nothing_is_stored_for_this_machine_but_several_others(run: Run, store: BaselineStore) -> None:
    others = (ELSEWHERE, replace(ELSEWHERE, physical_cores=8))
    for other in others:
        store.update(MeasurementSet(NEW, other, {LIGHT: Measurement(LIGHT, "digest", figures(1))}))

    result = run("--stored")

    assert result.exit_code == COULD_NOT_MEASURE
    assert f"baselines has nothing of machine class {machine.detect().id}" in result.stderr
    assert all(other.id in result.stderr for other in others)


def test_interrupted_again_starts_over(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("--releases", NEW)
    update = BaselineStore.update

    def interrupted(store: BaselineStore, measured: MeasurementSet) -> Update:
        if HEAVY in measured.cases:
            raise KeyboardInterrupt
        return update(store, measured)

    monkeypatch.setattr(BaselineStore, "update", interrupted)
    result = run("--releases", NEW, "--again")

    assert result.exit_code == INTERRUPTED
    assert "stored in baselines, and --again starts over" in result.stderr
    assert "goes on" not in result.stderr
    assert lines(run("--releases", NEW).stderr) == [f"{NEW}  0 measured, 2 stored before  (0 of 0 cases)"]


@pytest.mark.parametrize("folder", ["models.yaml/below", "/proc/nowhere", "readonly"])
def test_folder_that_cannot_keep_anything_is_told_first(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    def measured(*_: object, **__: object) -> None:
        pytest.fail("a case was probed")

    # Not even root can make a file there.
    (tmp_path / "readonly").mkdir()
    (tmp_path / "readonly" / machine.detect().id).symlink_to("/proc/self/task")
    monkeypatch.setattr(Errand, "run", measured)
    result = run("--releases", NEW, "--baseline-dir", folder)

    assert result.exit_code == USAGE, result.stderr
    assert f"nothing can be stored in {folder}" in result.stderr
    assert "what was measured" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--case", "small-fp32-lite-t1"], f"did you mean {LIGHT}"),
        (["--profile", "rapid"], "rapid"),
        (["--releases", "20250102"], f"the nearest: {OLD} and 1.0.20250606"),
        (["--releases", "banana"], "'banana' names no release of ncnn"),
        (["--models", "nowhere.yaml"], "nowhere.yaml"),
        (["--machine", "x"], "--machine goes with --stored"),
        (["--stored", "--machine", "x"], "has nothing of machine class x; it has none"),
        (["--stored", "--again"], "give one of them"),
        (["--json", "nowhere/history.json"], "nowhere/history.json: there is no such folder"),
        (["--findings", "nowhere/findings.md"], "nowhere/findings.md: there is no such folder"),
        (["--workers", "0"], "1<=x<=256"),
    ],
)
def test_mistake_is_told_before_anything_is_measured(
    run: Run, store: BaselineStore, arguments: list[str], told: str
) -> None:
    result = run(*arguments)

    assert result.exit_code == USAGE, result.stderr
    assert told in result.stderr
    assert not store.folder.exists()


def test_release_that_is_not_stored(run: Run) -> None:
    run("--releases", NEW, "--case", LIGHT)

    result = run("--stored", "--releases", "20250101")

    assert result.exit_code == USAGE
    assert f"stored in baselines are {NEW}" in result.stderr


def test_unreadable_baseline_is_told(run: Run, store: BaselineStore) -> None:
    torn = store.folder / machine.detect().id / f"{NEW}.json"
    torn.parent.mkdir(parents=True)
    torn.write_text("{")

    result = run("--releases", f"{OLD},{NEW}")

    assert result.exit_code == USAGE
    assert str(torn.relative_to(store.folder)) in result.stderr
    assert torn.read_text() == "{"
    assert len([*torn.parent.iterdir()]) == 1


def test_terminal_shows_how_far_a_sweep_is() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)

    with shown(console) as progress:
        progress(Note("resnet18: converting"))
        progress(CaseBegun(NEW, LIGHT, Tally(0, 3, 5)))
        progress(CaseDone(NEW, LIGHT, OK, Tally(1, 3, 5)))
        progress(ReleaseDone("1.0.20250606", Tally(), Tally(1, 2, 5), "there is no wheel"))
        progress(Note("figures are gone", lasting=True))
        progress(CaseBegun(OLD, HEAVY, Tally(1, 2, 5)))

    shown_last = screen.getvalue()
    assert "1/2" in shown_last
    assert f"{OLD} {HEAVY}" in shown_last
    assert "1.0.20250606  left out: there is no wheel\n" in shown_last
    assert "figures are gone\n" in shown_last
    assert progress.tally == Tally(1, 2, 5)


def test_log_has_no_bar() -> None:
    log = io.StringIO()

    with shown(Console(file=log, width=20)) as progress:
        progress(Note("resnet18: converting"))
        progress(CaseBegun(NEW, LIGHT, Tally(0, 3, 5)))
        progress(CaseDone(NEW, LIGHT, OK, Tally(1, 3, 5)))
        progress(ReleaseDone(NEW, Tally(1, 1, 5), Tally(1, 3, 5)))

    assert log.getvalue() == f"{NEW}  1 measured, 5 stored before  (1 of 3 cases)\n"
