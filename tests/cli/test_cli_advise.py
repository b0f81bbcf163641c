"""`ncnn-peakmem advise`, with real probes of a small network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click.testing
import pytest

from ncnn_peakmem.advice import Workbench
from ncnn_peakmem.case import Case
from ncnn_peakmem.cli import advise, main
from ncnn_peakmem.measurement import Measurement
from ncnn_peakmem.runtimes import Runtime

OUT_OF_REACH, USAGE, COULD_NOT_MEASURE, INTERRUPTED = 1, 2, 3, 130

Run = Callable[..., click.testing.Result]


@pytest.fixture
def run(project: Path) -> Run:
    """Runs the command on the small network, in a folder of its own."""

    def invoke(*arguments: object, network: str = "small") -> click.testing.Result:
        words = ["advise", network, "--cache-dir", "cache", "--rounds", "2", *map(str, arguments)]
        return click.testing.CliRunner().invoke(main, words)

    return invoke


def answer(result: click.testing.Result) -> dict[str, object]:
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_the_default_is_enough(run: Run) -> None:
    result = run("--budget", "1GiB")

    assert result.exit_code == 0, result.output
    assert "The cheapest way to peak 1024.00 MiB" in result.stdout
    assert "the default does" in result.stdout
    assert "0 of 1 measured (at most 60): small-fp32-light-t1" in result.stderr


def test_nothing_is_enough(run: Run) -> None:
    result = run("--budget", "1kB")

    assert result.exit_code == OUT_OF_REACH
    assert "nothing does, of all that was measured: the least is" in result.stdout
    assert "floor" in result.stdout


def test_a_change_that_is_found_and_confirmed(run: Run, project: Path) -> None:
    models = project / "models.yaml"
    models.write_text(models.read_text().replace("default: light", "default: heavy"))

    known = answer(run("--json"))
    assert known["reference"] == "small-fp32-heavy-t1"
    sizes = {entry["case"]: entry["bytes"] for entry in known["setups"]}  # type: ignore[attr-defined]
    assert sizes["small-fp32-light-t1"] < sizes["small-fp32-heavy-t1"]

    result = run("--budget", sizes["small-fp32-light-t1"])

    assert result.exit_code == 0, result.output
    told = " ".join(result.stdout.split())
    assert "lightmode on: -" in told
    assert "opt.lightmode = true;" in told
    assert "confirmed: load peak" in told
    assert "not confirmed" not in told


def test_a_build_that_holds_more_is_seen_to_need_more(run: Run, stand_in: Callable[..., Runtime]) -> None:
    def peak(*arguments: object) -> int:
        known = answer(run("--json", "--phase", "steady", *arguments))
        return int(known["setups"][0]["bytes"])  # type: ignore[index]

    assert peak("--ncnn", stand_in("load_model", 1 << 20).module.parents[1]) >= peak() + (1 << 20)


def test_ctrl_c_keeps_what_was_measured_and_a_second_call_goes_on(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[str] = []
    measure = Workbench.measure

    def stopped(bench: Workbench, case: Case) -> Measurement:
        if measured:
            raise KeyboardInterrupt
        measured.append(case.id)
        return measure(bench, case)

    with monkeypatch.context() as patched:
        patched.setattr(Workbench, "measure", stopped)
        result = run()
    assert result.exit_code == INTERRUPTED
    assert "interrupted after 1 setup: what was measured is kept, and the same command goes on" in (
        result.stderr
    )

    (record,) = Path("cache/advice").rglob("*.json")
    stamp = record.stat().st_mtime_ns
    assert run().exit_code == 0
    assert record.stat().st_mtime_ns == stamp
    assert run("--again").exit_code == 0
    assert record.stat().st_mtime_ns != stamp


def test_a_file_takes_the_axes_of_the_models_file_beside_it(
    run: Run, project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))

    known = answer(run("--json", network=str(project / "small.param")))

    cases = [entry["case"] for entry in known["setups"]]  # type: ignore[attr-defined]
    assert cases == ["small-fp32-light-t1", "small-fp32-heavy-t1"]


def test_a_file_without_axes_is_told_how_to_name_them(
    run: Run, project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "small.param").write_bytes((project / "small.param").read_bytes())
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr(advise, "_SHIPPED", elsewhere / "none.yaml")

    result = run(network="small.param")

    assert result.exit_code == USAGE
    assert "name one with --models FILE" in " ".join(result.stderr.split())
    assert run("--models", project / "models.yaml", network="small.param").exit_code == 0


def test_a_network_that_does_not_run(run: Run, project: Path) -> None:
    (project / "small.param").write_text(
        "7767517\n2 2\nInput data 0 1 data 0=8 1=8 2=3\nMystery odd 1 1 data out\n"
    )

    result = run()

    assert result.exit_code == COULD_NOT_MEASURE
    assert "small-fp32-light-t1: " in result.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--threads", "0"], "give thread counts from 1 to 1024"),
        (["--axes", "lightmod"], "did you mean lightmode?"),
        (["--precision", "int8"], "no such weights can be made, for it has none"),
        (["--max-latency-growth", "3"], "a percentage such as"),
        (["--budget", "much"], "whole bytes such as"),
        (["--budget", "64M"], "16 kB, 4 MB, 1 GB"),
        (["--gauge", "deployed"], "'deployed' is not one of 'heap', 'pages'"),
        (["--phase", "import"], "'import' is not one of"),
    ],
)
def test_usage(run: Run, arguments: list[str], text: str) -> None:
    result = run(*arguments)

    assert result.exit_code == USAGE
    assert text in " ".join(result.stderr.split())
    assert not Path("cache/advice").exists()
