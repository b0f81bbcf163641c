from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs
import pytest

from ncnn_peakmem.conversion import Cache, Entry, Key, verify
from ncnn_peakmem.conversion import cache as cache_module
from ncnn_peakmem.conversion.cache import Interface
from ncnn_peakmem.conversion.ncnn_files import model_digest
from ncnn_peakmem.network import InputBlob

KEY = Key("small", {"source": "a", "seed": 0})
INPUTS = (InputBlob("in0", (3, 8, 8)),)

# Fills an entry of KEY and tells of each step on stdout; where told to, it waits for a line on stdin.
FILLER = """
import sys
from pathlib import Path
from ncnn_peakmem.conversion import Cache, Key
from ncnn_peakmem.conversion.cache import Interface
from ncnn_peakmem.conversion.ncnn_files import model_digest

root, marker, waits = sys.argv[1:]

def fill(folder, logs):
    with open(marker, "a") as file:
        file.write("filled\\n")
    (folder / "net.param").write_text("param")
    say("half")
    if waits == "waits":
        sys.stdin.readline()
    (folder / "net.bin").write_bytes(bytes(10))
    (folder / "net.onnx").write_bytes(bytes(20))
    digest = model_digest(folder / "net.param", folder / "net.bin", ())
    return Interface((), ("out0",), digest)

def say(line):
    print(line, flush=True)

entry = Cache(Path(root)).entry(Key("small", {"source": "a", "seed": 0}), fill, say)
say(entry.model.param.read_text())
"""


class Filler:
    """Counts how often it fills."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, folder: Path, _logs: Path) -> Interface:
        self.count += 1
        for name, content in (("net.param", b"param"), ("net.bin", bytes(10)), ("net.onnx", bytes(20))):
            (folder / name).write_bytes(content)
        return Interface(INPUTS, ("out0",), model_digest(folder / "net.param", folder / "net.bin", INPUTS))


@pytest.fixture
def filler() -> Filler:
    return Filler()


def quiet(message: str) -> None:
    pass


def files_of(cache: Cache) -> list[str]:
    return sorted(path.name for path in (cache.root / "models").iterdir())


def test_a_second_request_is_a_hit(cache: Cache, filler: Filler) -> None:
    first = cache.entry(KEY, filler, quiet)
    second = Cache(cache.root).entry(KEY, filler, quiet)
    assert filler.count == 1
    assert first.model == second.model
    assert second.model.inputs == (InputBlob("in0", (3, 8, 8)),)
    assert second.model.param.read_bytes() == b"param"


def test_an_entry_tells_what_it_was_made_from(cache: Cache, filler: Filler) -> None:
    folder = cache.entry(KEY, filler, quiet).folder
    record = json.loads((folder / "entry.json").read_text())
    assert record["key"] == {"source": "a", "seed": 0}
    assert {name: facts["size"] for name, facts in record["files"].items()} == {
        "net.param": 5,
        "net.bin": 10,
        "net.onnx": 20,
    }
    assert folder.name == f"small-{KEY.digest[:16]}"
    assert folder.parent == cache.root / "models"


def test_each_ingredient_makes_its_own_entry_in_any_order_of_keys(cache: Cache, filler: Filler) -> None:
    cache.entry(KEY, filler, quiet)
    cache.entry(Key("small", {"seed": 0, "source": "a"}), filler, quiet)
    assert filler.count == 1
    cache.entry(Key("small", {"source": "a", "seed": 1}), filler, quiet)
    cache.entry(Key("small", {"source": "b", "seed": 0}), filler, quiet)
    cache.entry(Key("other", {"source": "a", "seed": 0}), filler, quiet)
    assert filler.count == 4
    assert [entry.record.network for entry in cache.entries()] == ["other", "small", "small", "small"]


@pytest.mark.parametrize("name", ["../../escape", "/etc/passwd", "a b:c*", "x" * 300, "..", "nät"])
def test_no_network_name_leaves_the_cache(name: str, cache: Cache, filler: Filler) -> None:
    entry = cache.entry(Key(name, {}), filler, quiet)
    assert entry.folder.resolve().parent == (cache.root / "models").resolve()
    assert list(cache.entries()) == [entry]


def test_an_entry_appears_as_a_whole(cache: Cache, filler: Filler) -> None:
    def fill(folder: Path, logs: Path) -> Interface:
        interface = filler(folder, logs)
        assert list(cache.entries()) == []
        assert not (cache.root / "models" / KEY.folder_name).exists()
        return interface

    cache.entry(KEY, fill, quiet)
    assert files_of(cache) == [KEY.folder_name]


def test_a_failed_fill_leaves_nothing(cache: Cache, filler: Filler) -> None:
    def fail(folder: Path, logs: Path) -> Interface:
        filler(folder, logs)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        cache.entry(KEY, fail, quiet)
    assert files_of(cache) == []
    cache.entry(KEY, filler, quiet)


def test_a_fill_that_forgets_a_file_makes_no_entry(cache: Cache, filler: Filler) -> None:
    def forget(folder: Path, logs: Path) -> Interface:
        interface = filler(folder, logs)
        (folder / "net.bin").unlink()
        return interface

    with pytest.raises(FileNotFoundError):
        cache.entry(KEY, forget, quiet)
    assert files_of(cache) == []


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "short": (lambda folder: os.truncate(folder / "net.bin", 5), "net.bin has 5 bytes, not 10"),
    "flipped bit": (lambda folder: flip(folder / "net.bin"), "net.bin is not what was converted"),
    "other graph": (lambda folder: flip(folder / "net.param"), "net.param is not what was converted"),
    "other shape": (lambda folder: reshape(folder), "entry.json is not of these files"),
    "missing": (lambda folder: (folder / "net.param").unlink(), "net.param is missing"),
    "no record": (lambda folder: (folder / "entry.json").unlink(), "entry.json is unreadable"),
    "half a record": (lambda folder: os.truncate(folder / "entry.json", 30), "entry.json is unreadable"),
    "old schema": (lambda folder: edit(folder, schema=0), "entry.json is not of schema"),
    "fewer files": (lambda folder: edit(folder, files={}), "entry.json is not of schema"),
}


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[3] ^= 1
    file.write_bytes(data)


def reshape(folder: Path) -> None:
    """The model's input is another one, though all else is as it was."""
    record = folder / "entry.json"
    text = "".join(record.read_text().split())
    assert "[3,8,8]" in text
    record.write_text(text.replace("[3,8,8]", "[3,8,9]"))


def edit(folder: Path, **changes: object) -> None:
    record = json.loads((folder / "entry.json").read_text())
    (folder / "entry.json").write_text(json.dumps(record | changes))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_made_again_and_said_to_be(damage: str, cache: Cache, filler: Filler) -> None:
    apply, words = DAMAGES[damage]
    folder = cache.entry(KEY, filler, quiet).folder
    apply(folder)
    told: list[str] = []
    entry = cache.entry(KEY, filler, told.append)
    assert filler.count == 2
    assert told[0].startswith("small: the cached files are damaged (")
    assert words in told[0]
    assert [line.partition(" in ")[0] for line in told[1:]] == ["small: converted"]
    assert verify(entry) == ()
    assert files_of(cache) == [KEY.folder_name]


def test_verify_finds_what_a_hit_does_not_look_for(cache: Cache, filler: Filler) -> None:
    entry = cache.entry(KEY, filler, quiet)
    assert verify(entry) == ()
    (entry.folder / "net.onnx").write_bytes(b"twenty bytes of other")
    os.truncate(entry.folder / "net.onnx", 20)
    assert isinstance(Cache(cache.root).entry(KEY, filler, quiet), Entry)
    assert filler.count == 1
    assert verify(entry) == ("net.onnx",)


def test_files_that_a_probe_reads_are_hashed_once_and_when_they_were_touched(
    cache: Cache, filler: Filler, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = cache.entry(KEY, filler, quiet)
    hashed: list[str] = []
    real = cache_module._facts

    def facts(file: Path) -> cache_module.FileFacts:
        hashed.append(file.name)
        return real(file)

    monkeypatch.setattr(cache_module, "_facts", facts)
    for _ in range(3):
        cache.entry(KEY, filler, quiet)
    assert hashed == ["net.param", "net.bin"]
    (entry.folder / "net.bin").touch()
    cache.entry(KEY, filler, quiet)
    assert hashed == ["net.param", "net.bin"] * 2
    assert filler.count == 1


def test_the_root_is_the_argument_else_the_variable_else_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NCNN_PEAKMEM_CACHE_DIR", str(tmp_path / "variable"))
    assert Cache(tmp_path / "argument").root == tmp_path / "argument"
    assert Cache().root == tmp_path / "variable"
    monkeypatch.delenv("NCNN_PEAKMEM_CACHE_DIR")
    assert Cache().root == Path(platformdirs.user_cache_dir("ncnn-peakmem"))


@contextmanager
def filling(cache: Cache, marker: Path, waits: str = "") -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", FILLER, str(cache.root), str(marker), waits]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        try:
            yield process
        finally:
            process.kill()


def heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_of_two_processes_one_fills_and_the_other_waits(cache: Cache, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    with filling(cache, marker, "waits") as first:
        assert heard(first) == "half"
        with filling(cache, marker) as second:
            assert heard(second) == "small: waiting for another process converting small"
            assert first.stdin
            first.stdin.write("go on\n")
            first.stdin.flush()
            assert heard(first).startswith("small: converted in ")
            assert heard(first) == "param"
            assert heard(second) == "param"
            assert (first.wait(60), second.wait(60)) == (0, 0)
    assert marker.read_text() == "filled\n"


def test_a_killed_fill_leaves_no_entry_and_is_swept_up_by_the_next(
    cache: Cache, tmp_path: Path, filler: Filler
) -> None:
    with filling(cache, tmp_path / "marker", "waits") as process:
        assert heard(process) == "half"
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    (remains,) = files_of(cache)
    assert remains.startswith(f"{KEY.folder_name}.")
    assert list(cache.entries()) == []

    def fill(folder: Path, logs: Path) -> Interface:
        assert files_of(cache) == [folder.name], "the remains take no room while filling"
        return filler(folder, logs)

    told: list[str] = []
    cache.entry(KEY, fill, told.append)
    assert [line.partition(" in ")[0] for line in told] == ["small: converted"]
    assert files_of(cache) == [KEY.folder_name]


def test_the_remains_of_another_key_are_left_alone(cache: Cache, filler: Filler) -> None:
    other = cache.root / "models" / "small-ffffffffffffffff.abc"
    other.mkdir(parents=True)
    cache.entry(KEY, filler, quiet)
    assert other.exists()
