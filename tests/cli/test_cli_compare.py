"""`ncnn-peakmem compare`: builds measured side by side, and files of figures."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ncnn_peakmem.baselines import BaselineStore
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
from ncnn_peakmem.reports import RunReport, json_report
from ncnn_peakmem.runtimes import Runtime
from tests.models_file import ZERO, models_file

Program = Callable[..., subprocess.CompletedProcess[str]]

SAME, REGRESSED, USAGE, COULD_NOT_MEASURE = 0, 1, 2, 3
MIB = 1 << 20
MACHINE = MachineClass("x86_64", ("avx2",), MIB, 2, 4096, "glibc2.36")
LIGHT, HEAVY = "small-fp32-light-t1", "small-fp32-heavy-t1"
MODELS = models_file(
    {"pair": "{networks: all, axes: [lightmode]}"},
    tolerances=dict.fromkeys(Gauge, ("{absolute: 16 KiB, relative: 0.1 %}", ZERO)),
)


@pytest.fixture(autouse=True)
def models(tmp_path: Path, small_param: Path) -> None:
    assert small_param.parent == tmp_path
    (tmp_path / "models.yaml").write_text(MODELS)


def figures(ncnn: str, peaks: dict[str, int], machine: MachineClass = MACHINE) -> MeasurementSet:
    cases = {
        case: Measurement(
            case,
            "digest",
            {
                Gauge.HEAP: Reading(
                    Outcome(OutcomeKind.OK), {Phase.LOAD_MODEL: {Metric.PEAK: peak, Metric.LIVE: peak}}
                )
            },
        )
        for case, peak in peaks.items()
    }
    return MeasurementSet(ncnn, machine, cases)


@pytest.fixture
def baseline(tmp_path: Path) -> Callable[[MeasurementSet], Path]:
    return lambda measured: BaselineStore(tmp_path / "baselines").update(measured).path


@pytest.fixture
def result(tmp_path: Path) -> Callable[[MeasurementSet], Path]:
    def write(measured: MeasurementSet) -> Path:
        path = tmp_path / f"result-{measured.ncnn}.json"
        path.write_text(json_report.render(RunReport(measured)))
        return path

    return write


def test_a_build_with_itself_is_the_same(ncnn_peakmem: Program) -> None:
    finished = ncnn_peakmem("compare", "installed", "installed", "--gauge", "heap")

    assert finished.returncode == SAME, finished.stderr
    assert "2 cases judged: 2 same" in finished.stdout
    assert "measured in this run" in finished.stdout


def test_a_build_that_holds_more_is_told_with_its_bytes(
    ncnn_peakmem: Program, stand_in: Callable[..., Runtime]
) -> None:
    fat = stand_in("load_model", MIB).module.parents[1]

    worse = ncnn_peakmem("compare", "installed", fat, "--gauge", "heap", "--case", "*-light-*")
    better = ncnn_peakmem("compare", fat, "installed", "--gauge", "heap", "--case", LIGHT, "--json")

    assert worse.returncode == REGRESSED, worse.stderr
    assert "1 case judged: 1 regressed" in worse.stdout
    assert "+1.00 MiB" in worse.stdout
    assert HEAVY not in worse.stdout
    assert better.returncode == SAME, better.stderr
    (run,) = json.loads(better.stdout)["runs"]
    assert run["counts"] == {"improved": 1}


@pytest.mark.parametrize("wrong", ["banana", "nowhere.whl"])
def test_a_build_that_cannot_be_had_is_told_before_anything_is_measured(
    ncnn_peakmem: Program, wrong: str
) -> None:
    finished = ncnn_peakmem("compare", "installed", wrong)

    assert finished.returncode == COULD_NOT_MEASURE
    assert wrong in finished.stderr
    assert "Traceback" not in finished.stderr
    assert finished.stdout == ""


def test_two_baseline_files(
    ncnn_peakmem: Program, baseline: Callable[[MeasurementSet], Path], tmp_path: Path
) -> None:
    old = baseline(figures("1.0.20221128", {LIGHT: 20 * MIB, HEAVY: 30 * MIB}))
    new = baseline(figures("1.0.20230223", {LIGHT: 24 * MIB, HEAVY: 30 * MIB}))

    finished = ncnn_peakmem("compare", old, new, "--markdown", "summary.md")

    assert finished.returncode == REGRESSED, finished.stderr
    assert "2 cases judged: 1 same, 1 regressed" in finished.stdout
    assert "+4.00 MiB" in finished.stdout
    assert "ncnn 1.0.20230223 against 1.0.20221128" in finished.stdout
    assert "1 regressed" in (tmp_path / "summary.md").read_text()
    assert ncnn_peakmem("compare", new, old).returncode == SAME
    assert ncnn_peakmem("compare", old, new, "--case", HEAVY).returncode == SAME


def test_several_threads_are_judged_by_what_they_are_allowed(
    ncnn_peakmem: Program, baseline: Callable[[MeasurementSet], Path], tmp_path: Path
) -> None:
    allowed = "    several_threads: {between_releases: {relative: 25 %}}\n"
    (tmp_path / "models.yaml").write_text(MODELS.replace("  pages:\n", f"{allowed}  pages:\n"))
    two = LIGHT.replace("-t1", "-t2")
    old = baseline(figures("1.0.20221128", {LIGHT: 20 * MIB, two: 20 * MIB}))
    new = baseline(figures("1.0.20230223", {LIGHT: 24 * MIB, two: 24 * MIB}))

    finished = ncnn_peakmem("compare", old, new)

    assert finished.returncode == REGRESSED
    assert "2 cases judged: 1 same, 1 regressed" in finished.stdout


def test_a_baseline_and_a_result_of_one_release_must_be_equal(
    ncnn_peakmem: Program,
    baseline: Callable[[MeasurementSet], Path],
    result: Callable[[MeasurementSet], Path],
) -> None:
    old = baseline(figures("1.0.20221128", {LIGHT: 20 * MIB}))

    assert ncnn_peakmem("compare", old, result(figures("1.0.20221128", {LIGHT: 20 * MIB}))).returncode == SAME
    grown = ncnn_peakmem("compare", old, result(figures("1.0.20221128", {LIGHT: 20 * MIB + 1})))
    assert grown.returncode == REGRESSED


def test_two_machine_classes_are_refused_unless_asked_for(
    ncnn_peakmem: Program, baseline: Callable[[MeasurementSet], Path]
) -> None:
    old = baseline(figures("1.0.20221128", {LIGHT: 20 * MIB}))
    elsewhere = replace(MACHINE, isa=("avx512",))
    new = baseline(figures("1.0.20230223", {LIGHT: 20 * MIB}, elsewhere))

    refused = ncnn_peakmem("compare", old, new)
    forced = ncnn_peakmem("compare", old, new, "--across-machines")

    assert refused.returncode == USAGE
    assert MACHINE.id in refused.stderr
    assert elsewhere.id in refused.stderr
    assert forced.returncode == SAME
    assert f"of machine class {MACHINE.id}" in forced.stdout


def test_cases_that_only_one_file_has_are_named(
    ncnn_peakmem: Program, baseline: Callable[[MeasurementSet], Path]
) -> None:
    old = baseline(figures("1.0.20221128", {LIGHT: 20 * MIB, "gone-fp32-t1": 1}))
    new = baseline(figures("1.0.20230223", {LIGHT: 20 * MIB}))
    other = baseline(figures("1.0.20240102", {HEAVY: 20 * MIB}))

    partly = ncnn_peakmem("compare", old, new)
    nothing = ncnn_peakmem("compare", new, other)

    assert partly.returncode == SAME
    assert f"only in {old}: gone-fp32-t1" in partly.stderr
    assert nothing.returncode == COULD_NOT_MEASURE
    assert "no case in common" in nothing.stderr


def test_a_failure_of_the_newer_one_is_worse(
    ncnn_peakmem: Program, baseline: Callable[[MeasurementSet], Path]
) -> None:
    old = baseline(figures("1.0.20221128", {LIGHT: 20 * MIB}))
    crashed = Reading(Outcome(OutcomeKind.CRASHED, "SIGSEGV", Phase.FIRST), {})
    fallen = figures("1.0.20230223", {LIGHT: 1})
    new = baseline(replace(fallen, cases={LIGHT: Measurement(LIGHT, "digest", {Gauge.HEAP: crashed})}))

    finished = ncnn_peakmem("compare", old, new)

    assert finished.returncode == REGRESSED
    assert "1 broken" in finished.stdout
    assert "SIGSEGV" in finished.stdout


def test_another_model_cannot_be_compared(
    ncnn_peakmem: Program, baseline: Callable[[MeasurementSet], Path]
) -> None:
    old = baseline(figures("1.0.20221128", {LIGHT: 20 * MIB}))
    other = figures("1.0.20230223", {LIGHT: 20 * MIB})
    new = baseline(replace(other, cases={LIGHT: replace(other.cases[LIGHT], model="another")}))

    assert ncnn_peakmem("compare", old, new).returncode == COULD_NOT_MEASURE


@pytest.mark.parametrize("text", ["", "{}", "[1, 2]", '{"runs": []}', '{"runs": [{}], "schema": 2}'])
def test_a_file_that_holds_no_figures_is_named(ncnn_peakmem: Program, tmp_path: Path, text: str) -> None:
    (tmp_path / "odd.json").write_text(text)

    finished = ncnn_peakmem("compare", "odd.json", "odd.json")

    assert finished.returncode == USAGE
    assert "odd.json" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_a_file_and_a_build_are_not_compared(
    ncnn_peakmem: Program, baseline: Callable[[MeasurementSet], Path]
) -> None:
    finished = ncnn_peakmem("compare", baseline(figures("1.0.20221128", {LIGHT: 1})), "installed")

    assert finished.returncode == USAGE
    assert "two builds or two files" in finished.stderr


def test_a_pattern_that_picks_nothing_names_ids_that_are_close(ncnn_peakmem: Program) -> None:
    finished = ncnn_peakmem("compare", "installed", "installed", "--case", "small-fp32-lite-t1")

    assert finished.returncode == USAGE
    assert f"did you mean {LIGHT}" in finished.stderr


def test_a_summary_that_cannot_be_written_is_told_before_anything_is_measured(ncnn_peakmem: Program) -> None:
    finished = ncnn_peakmem("compare", "installed", "installed", "--markdown", "nowhere/summary.md")

    assert finished.returncode == USAGE
    assert "there is no such folder" in finished.stderr


def test_a_gauge_that_the_files_lack_is_named(
    ncnn_peakmem: Program, baseline: Callable[[MeasurementSet], Path]
) -> None:
    old = baseline(figures("1.0.20221128", {LIGHT: 1}))
    new = baseline(figures("1.0.20230223", {LIGHT: 1}))

    finished = ncnn_peakmem("compare", old, new, "--gauge", "deployed")

    assert finished.returncode == COULD_NOT_MEASURE
    assert "no case in common that was read with deployed" in finished.stderr


def test_ctrl_c_is_no_regression(ncnn_peakmem: Program, stand_in: Callable[..., Runtime]) -> None:
    module = stand_in().module
    module.write_text(module.read_text() + "\nimport posix\nposix.kill(posix.getppid(), 2)\n")

    finished = ncnn_peakmem("compare", "installed", module.parents[1], "--gauge", "heap")

    assert finished.returncode == 130
    assert "interrupted" in finished.stderr


def test_what_a_killed_one_kept_is_swept_by_the_next(
    ncnn_peakmem: Program,
    stand_in: Callable[..., Runtime],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    module = stand_in().module
    plain = module.read_text()
    module.write_text(plain + "\nimport posix\nposix.kill(posix.getppid(), 9)\n")
    build = module.parents[1]

    killed = ncnn_peakmem("compare", "installed", build, "--gauge", "heap")
    left = list(temporary.iterdir())
    module.write_text(plain)
    finished = ncnn_peakmem("compare", "installed", build, "--gauge", "heap")

    assert killed.returncode == -9
    assert left
    assert finished.returncode in {0, 1}, finished.stderr
    assert list(temporary.iterdir()) == []


def test_previous_is_the_release_before_the_newer_one(
    ncnn_peakmem: Program,
    stand_in: Callable[..., Runtime],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not the one before the newest: 20240303 is known as well."""
    for number, version in enumerate(("1.0.20240101", "1.0.20240202", "1.0.20240303")):
        module = stand_in("", number).module
        module.write_text(module.read_text() + f"\n__version__ = {version!r}\n")
        release = tmp_path / "cache" / "runtimes" / f"release-{version}-{sys.implementation.cache_tag}"
        release.parent.mkdir(parents=True, exist_ok=True)
        module.parents[1].rename(release)
    monkeypatch.setenv("PIP_NO_INDEX", "1")

    finished = ncnn_peakmem(
        "compare",
        "previous",
        "20240202",
        "--case",
        LIGHT,
        "--gauge",
        "heap",
        "--cache-dir",
        tmp_path / "cache",
    )

    assert finished.returncode == SAME, finished.stderr
    assert "ncnn 1.0.20240202 against 1.0.20240101" in finished.stdout


def test_two_builds_of_one_version_are_not_one_build(ncnn_peakmem: Program, tmp_path: Path) -> None:
    for digest, peak in (("first", 20 * MIB), ("second", 20 * MIB + 1000)):
        measured = figures("1.0.20221128", {LIGHT: peak})
        (tmp_path / f"{digest}.json").write_text(json_report.render(RunReport(measured, digest=digest)))
        (tmp_path / f"{digest}-again.json").write_text(
            json_report.render(RunReport(figures("1.0.20221128", {LIGHT: peak + 1}), digest=digest))
        )

    assert ncnn_peakmem("compare", "first.json", "second.json").returncode == SAME
    assert ncnn_peakmem("compare", "first.json", "first-again.json").returncode == REGRESSED
