"""A conversion's stages read hostile models in processes of their own, held to time, memory and disk."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ncnn_peakmem.conversion import ConversionError
from ncnn_peakmem.conversion import bench as benches
from ncnn_peakmem.conversion.bench import Bench
from ncnn_peakmem.conversion.error import Stage


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench("net", tmp_path, tmp_path / "logs", 60.0, lambda _: None)


def failure(bench: Bench, script: str) -> ConversionError:
    with pytest.raises(ConversionError) as caught:
        bench.run(Stage.SIMPLIFY, [sys.executable, "-c", script])
    return caught.value


def test_memory(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 0}))
    error = failure(bench, "bytearray(8 << 30)")
    assert error.tail[-1] == "MemoryError"
    bench.run(Stage.SIMPLIFY, [sys.executable, "-c", "bytearray(256 << 20)"])


def test_disk(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benches, "_MOST_FILE_BYTES", 1 << 20)
    error = failure(bench, "open('large', 'wb').write(bytes(2 << 20))")
    assert "File too large" in error.tail[-1] or "SIGXFSZ" in error.cause
    assert (tmp_path / "large").stat().st_size <= 1 << 20


def test_time(bench: Bench) -> None:
    hasty = Bench(bench.network, bench.folder, bench.logs, 0.2, bench.progress)
    assert failure(hasty, "while True: pass").cause == "still running after 0.2 s"


def test_words_that_a_terminal_would_obey_are_told_and_not_obeyed(bench: Bench) -> None:
    script = (
        r"import sys; sys.stderr.write('\x1b]0;title\x07 \x1b[2J\x1b[31mred\x1b[0m \u202e'); sys.exit(65)"
    )
    error = failure(bench, script)
    assert error.cause.isprintable()
    assert "red" in error.cause


def test_a_log_without_an_end_is_not_read_whole(bench: Bench) -> None:
    error = failure(bench, "print('x' * (8 << 20)); raise SystemExit(1)")
    assert sum(map(len, error.tail)) <= 4096
