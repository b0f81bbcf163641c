from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from ncnn_peakmem.conversion import ConversionError, Stage
from ncnn_peakmem.conversion.bench import Bench


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def bench(tmp_path: Path, told: list[str]) -> Bench:
    return Bench("small", tmp_path, tmp_path / "logs", 60, told.append)


def error_of(bench: Bench, script: str) -> ConversionError:
    with pytest.raises(ConversionError) as caught:
        bench.run(Stage.CONVERT, ["sh", "-c", script])
    return caught.value


def test_a_stage_runs_in_the_benchs_folder_and_logs_all_it_says(bench: Bench, told: list[str]) -> None:
    log = bench.run(Stage.CONVERT, ["sh", "-c", "pwd; echo warning >&2"])
    assert log == bench.logs / "convert.log"
    assert log.read_text().splitlines() == ["$ sh -c 'pwd; echo warning >&2'", str(bench.folder), "warning"]
    assert told == ["small: converting with pnnx"]


def test_a_stage_never_waits_for_the_terminal(tmp_path: Path) -> None:
    silent_end, writing_end = os.pipe()
    kept = os.dup(0)
    os.dup2(silent_end, 0)
    try:
        Bench("small", tmp_path, tmp_path / "logs", 5, lambda _: None).run(Stage.CONVERT, ["cat"])
    finally:
        os.dup2(kept, 0)
        for descriptor in (kept, silent_end, writing_end):
            os.close(descriptor)


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        ("exit 3", "exit code 3"),
        ("kill -SEGV $$", "killed by SIGSEGV"),
        ("kill -KILL $$", "killed by SIGKILL, perhaps out of memory"),
        (f"echo no layer; exit {os.EX_DATAERR}", "no layer"),
        (f"exit {os.EX_DATAERR}", f"exit code {os.EX_DATAERR}"),
    ],
)
def test_a_failure_says_how_the_stage_ended(script: str, cause: str, bench: Bench) -> None:
    error = error_of(bench, script)
    assert (error.network, error.stage, error.cause) == ("small", Stage.CONVERT, cause)


def test_a_failure_shows_the_last_lines_and_where_the_others_are(bench: Bench) -> None:
    error = error_of(bench, "seq 100000; echo; echo last words; exit 1")
    assert error.tail == ("99994", "99995", "99996", "99997", "99998", "99999", "100000", "last words")
    assert error.log
    assert "\n17\n" in error.log.read_text()
    assert str(error).splitlines() == [
        "small: converting with pnnx failed: exit code 1",
        *(f"  | {line}" for line in error.tail),
        f"  log   {error.log}",
        f"  next  {Stage.CONVERT.advice}",
    ]


def test_colours_for_a_terminal_are_left_out(bench: Bench) -> None:
    assert error_of(bench, r"printf '\033[1;31mred\033[m words\n'; exit 1").tail == ("red words",)


def test_a_failure_without_words_shows_none(bench: Bench) -> None:
    assert error_of(bench, "exit 1").tail == ()


def test_bytes_that_are_no_text_do_not_hide_the_failure(bench: Bench) -> None:
    assert error_of(bench, r"printf 'a\377b\n'; exit 1").tail == ("a\ufffdb",)


def test_a_stage_is_stopped_at_the_time_limit(bench: Bench, tmp_path: Path) -> None:
    hasty = Bench("small", tmp_path, tmp_path / "logs", 0.2, lambda _: None)
    error = error_of(hasty, "echo started; exec tail -f /dev/null")
    assert error.cause == "still running after 0.2 s"
    assert error.tail == ("started",)


def test_a_program_that_cannot_run_here_is_an_error(bench: Bench, tmp_path: Path) -> None:
    program = tmp_path / "tool"
    program.write_bytes(b"\x7fELF of another machine")
    program.chmod(0o755)
    with pytest.raises(ConversionError, match="tool cannot be started: Exec format error"):
        bench.run(Stage.CONVERT, [str(program)])


def test_an_error_survives_the_way_between_processes(bench: Bench) -> None:
    error = error_of(bench, "echo word; exit 1")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize("stage", Stage)
def test_every_stage_has_advice(stage: Stage) -> None:
    assert stage.advice
