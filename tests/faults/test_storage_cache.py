"""Entries of the cache that were truncated or of which a bit flipped: made again and told, or harmless."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from ncnn_peakmem import runtimes
from ncnn_peakmem.conversion import Cache, Entry, Key
from ncnn_peakmem.conversion.cache import Interface
from ncnn_peakmem.conversion.ncnn_files import model_digest
from ncnn_peakmem.network import InputBlob
from ncnn_peakmem.runtimes import Runtime, RuntimeNotFound, pip
from ncnn_peakmem.runtimes.installed_files import changed_since_installed
from tests.faults.session import write_wheel

KEY = Key("small", {"source": "a"})
FILES = {"net.param": b"7767517\n1 1\nInput data 0 1 data\n", "net.bin": bytes(5000), "net.onnx": bytes(900)}
RELEASE = "1.0.20240820"

Damage = Callable[[bytes, random.Random], bytes]


def truncated(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def flipped(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]


def fill(folder: Path, logs: Path) -> Interface:
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    inputs = (InputBlob("data", (3, 8, 8)),)
    return Interface(inputs, ("data",), model_digest(folder / "net.param", folder / "net.bin", inputs))


def opened(root: Path) -> tuple[Entry, list[str]]:
    """The entry as a new process gets it, and what it was told."""
    told: list[str] = []
    return Cache(root).entry(KEY, fill, told.append), told


@pytest.mark.parametrize("damage", [truncated, flipped])
@pytest.mark.fault(
    "files of a cached conversion truncated, or a bit of them flipped",
    "told and converted again, unless no figure can come of it",
)
def test_conversion(tmp_path: Path, damage: Damage) -> None:
    chance = random.Random(damage.__name__)
    entry, _ = opened(tmp_path)
    sound = entry.model
    for name in ("net.param", "net.bin", "entry.json"):
        whole = (entry.folder / name).read_bytes()
        for _ in range(40):
            (entry.folder / name).write_bytes(damage(whole, chance))
            again, told = opened(tmp_path)
            # What of the record is not about files and ends is only there to be read by people.
            assert again.model == sound
            assert {file: (again.folder / file).read_bytes() for file in FILES} == FILES
            if name != "entry.json":
                assert told
                assert told[0].startswith("small: the cached files are damaged (net.")


MODULE = b"class Net: pass\n" * 50


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """A release that pip installed from a folder of wheels, which is all the index that there is."""
    index = tmp_path / "index"
    index.mkdir()
    write_wheel(index, RELEASE, MODULE)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return runtimes.from_release(RELEASE, tmp_path / "cache")


@pytest.mark.parametrize("damage", [truncated, flipped])
@pytest.mark.fault(
    "the module of a cached release truncated, or a bit of it flipped",
    "told and installed again before it runs",
)
def test_release(tmp_path: Path, release: Runtime, damage: Damage) -> None:
    chance = random.Random(damage.__name__)
    site = release.module.parents[1]
    assert changed_since_installed(site) == ()
    for _ in range(40):
        release.module.write_bytes(damage(MODULE, chance))
        assert changed_since_installed(site) == ("ncnn/ncnn.py",)
    said: list[str] = []

    again = runtimes.from_release(RELEASE, tmp_path / "cache", said.append)

    assert again == release
    assert release.module.read_bytes() == MODULE
    assert "is damaged (ncnn/ncnn.py is not what was installed): it is made again" in said[0]


@pytest.mark.parametrize("damage", [truncated, flipped])
@pytest.mark.fault(
    "the cached list of releases truncated, or a bit of it flipped",
    "harmless: it is asked for anew, and stands in only for an index that does not answer",
)
def test_list_of_releases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Damage) -> None:
    monkeypatch.setattr(pip, "versions", lambda _: [RELEASE, "1.0.20241226"])
    fresh = runtimes.releases(tmp_path)
    (file,) = (tmp_path / "runtimes").iterdir()
    whole, chance = file.read_bytes(), random.Random(damage.__name__)

    def unanswered(_: str) -> list[str]:
        raise RuntimeNotFound("no answer")

    for _ in range(40):
        file.write_bytes(damage(whole, chance))
        monkeypatch.setattr(pip, "versions", unanswered)
        with suppress(RuntimeNotFound):
            # What such a list names is still to be installed, and then it is known whether it is a release.
            assert "known from before" in runtimes.releases(tmp_path).note
        monkeypatch.setattr(pip, "versions", lambda _: [RELEASE, "1.0.20241226"])
        assert runtimes.releases(tmp_path) == fresh
        assert file.read_bytes() == whole


@pytest.mark.fault("a cached conversion damaged while a run goes on", "seen before its next case")
def test_conversion_changed_under_a_run(tmp_path: Path) -> None:
    cache, told = Cache(tmp_path), list[str]()
    entry = cache.entry(KEY, fill, told.append)
    cache.entry(KEY, fill, told.append)
    with (entry.folder / "net.bin").open("r+b") as file:
        file.write(b"\1")

    again = cache.entry(KEY, fill, told.append)

    assert again.model.bin is not None
    assert again.model.bin.read_bytes() == FILES["net.bin"]
    assert any("net.bin is not what was converted" in line for line in told)
