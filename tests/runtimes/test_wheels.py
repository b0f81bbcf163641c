"""Wheel files of one's own: what can be wrong with them is told before anything is measured."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import struct
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ncnn_peakmem import runtimes
from ncnn_peakmem.runtimes import RuntimeNotFound
from ncnn_peakmem.runtimes.wheel import check_whole
from tests.runtimes.conftest import LOADABLE

MakeWheel = Callable[..., Path]
Builds = Callable[[], list[str]]


@pytest.fixture
def refused(tmp_path: Path, builds: Builds) -> Callable[[Path], str]:
    """Why a wheel is refused, after its name; nothing of it is left in the cache then."""

    def reason(wheel: Path) -> str:
        with pytest.raises(RuntimeNotFound) as told:
            runtimes.resolve(str(wheel), tmp_path / "cache")
        assert builds() == []
        text = str(told.value)
        assert text.startswith(f"{wheel}: ")
        assert "\n" not in text
        return text.removeprefix(f"{wheel}: ")

    return reason


Refused = Callable[[Path], str]


def listing(files: Mapping[str, str]) -> str:
    """A RECORD of these files, which need not be what is in the wheel."""
    digests = {name: hashlib.sha256(text.encode()).digest() for name, text in files.items()}
    coded = {name: base64.urlsafe_b64encode(digest).rstrip(b"=").decode() for name, digest in digests.items()}
    return "".join(f"{name},sha256={digest},1\n" for name, digest in coded.items())


def test_wheel_is_installed_once_and_known_by_its_file(
    tmp_path: Path, make_wheel: MakeWheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = make_wheel("1.0.20261123", folder=tmp_path)
    monkeypatch.chdir(tmp_path)
    said: list[str] = []

    first = runtimes.resolve(wheel.name, tmp_path / "cache", said.append)
    second = runtimes.resolve(str(wheel), tmp_path / "cache", said.append)

    assert first == second
    assert first.title == f"1.0.20261123 ({wheel.name})"
    assert second.origin == str(wheel)
    assert said == [f"installing {wheel.name} beside the environment"]


def test_wheel_with_a_program_is_installed_once(
    tmp_path: Path, make_wheel: MakeWheel, builds: Builds
) -> None:
    outside = tmp_path / "outside"
    outside.write_text("what pip never put there")
    names = ("ncnn/ncnn.py", "ncnn/../../../../outside", f"{outside}")
    digests = {names[0]: LOADABLE, names[1]: "else", names[2]: "else"}
    points = "ncnn-1.0.20261123.dist-info/entry_points.txt"
    files = {"ncnn/ncnn.py": LOADABLE, points: "[console_scripts]\nncnn-tool = ncnn.ncnn:Net\n"}
    wheel = make_wheel("1.0.20261123", files=files, listed=listing(digests), folder=tmp_path)
    said: list[str] = []

    for _ in range(2):
        runtimes.resolve(str(wheel), tmp_path / "cache", said.append)

    assert said == [f"installing {wheel} beside the environment"]
    (folder,) = builds()
    record = tmp_path / "cache" / "runtimes" / folder / "ncnn-1.0.20261123.dist-info" / "RECORD"
    assert "../../bin/ncnn-tool,sha256=" in record.read_text()


def test_wheel_that_is_not_what_it_lists_is_refused_at_once(make_wheel: MakeWheel, refused: Refused) -> None:
    told = refused(make_wheel(listed=listing({"ncnn/ncnn.py": "class Net: other = 1\n"})))

    assert told.startswith("ncnn/ncnn.py is not what its own list of files (RECORD) says: build or download")


def test_builds_of_one_version_are_told_apart_by_what_is_in_them(
    tmp_path: Path, make_wheel: MakeWheel, builds: Builds
) -> None:
    wheel = make_wheel(files={"ncnn/ncnn.py": "class Net: one = 1\n"})
    stamp = wheel.stat()
    one = runtimes.resolve(str(wheel), tmp_path / "cache")
    make_wheel(files={"ncnn/ncnn.py": "class Net: two = 2\n"})
    # Neither size nor time tells these two apart.
    os.utime(wheel, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert wheel.stat().st_size == stamp.st_size

    two = runtimes.resolve(str(wheel), tmp_path / "cache")

    assert one.version == two.version
    assert one.digest != two.digest
    assert len(builds()) == 2


def test_copy_of_a_wheel_is_the_same_build(tmp_path: Path, make_wheel: MakeWheel, builds: Builds) -> None:
    wheel = make_wheel()
    (tmp_path / "copy").mkdir()
    copy = shutil.copy(wheel, tmp_path / "copy" / wheel.name)
    os.utime(copy, (1, 1))

    assert runtimes.resolve(str(wheel), tmp_path / "cache") == runtimes.resolve(str(copy), tmp_path / "cache")
    assert len(builds()) == 1


def test_wheel_that_is_not_there(tmp_path: Path, refused: Refused) -> None:
    assert refused(tmp_path / "ncnn-1.0.1-py3-none-any.whl").startswith("there is no such file in /")


def test_wheel_whose_name_is_none(tmp_path: Path, make_wheel: MakeWheel, refused: Refused) -> None:
    assert "Invalid wheel filename" in refused(make_wheel(name="ncnn.whl"))


def test_wheel_of_another_project(make_wheel: MakeWheel, refused: Refused) -> None:
    assert refused(make_wheel("1.16.0", project="six")) == "this is a wheel of six, not of ncnn"


def test_wheel_of_another_project_under_the_name_of_ncnn(make_wheel: MakeWheel, refused: Refused) -> None:
    wheel = make_wheel("1.16.0", project="six", name="ncnn-1.0.20240820-py3-none-any.whl")

    assert "'six-1.16.0.dist-info' does not start with 'ncnn'" in refused(wheel)


def test_wheel_of_another_version_than_its_name_says(make_wheel: MakeWheel, refused: Refused) -> None:
    wheel = make_wheel("1.0.20221128", name="ncnn-1.0.20240820-py3-none-any.whl")

    assert refused(wheel).startswith("it holds version 1.0.20221128: give it the name")


def test_wheel_for_another_platform(make_wheel: MakeWheel, refused: Refused) -> None:
    told = refused(make_wheel(tag="cp36-cp36m-win_amd64"))

    assert told.startswith("it is for cp36-cp36m-win_amd64, not a supported wheel on this platform")
    assert f"for {sys.implementation.cache_tag} on linux" in told


def test_wheel_renamed_for_another_platform_is_refused_though_its_content_is_known(
    tmp_path: Path, make_wheel: MakeWheel
) -> None:
    wheel = make_wheel()
    runtimes.resolve(str(wheel), tmp_path / "cache")
    renamed = wheel.rename(tmp_path / "ncnn-1.0.20240820-cp36-cp36m-win_amd64.whl")

    with pytest.raises(RuntimeNotFound, match="not a supported wheel"):
        runtimes.resolve(str(renamed), tmp_path / "cache")


@pytest.mark.parametrize("kept", [0, 40, -30], ids=["empty", "head", "no-end"])
def test_wheel_that_is_cut_short(make_wheel: MakeWheel, refused: Refused, kept: int) -> None:
    wheel = make_wheel()
    wheel.write_bytes(wheel.read_bytes()[:kept])

    assert refused(wheel).startswith("this is no whole wheel (")


def test_wheel_with_a_damaged_byte(make_wheel: MakeWheel, refused: Refused) -> None:
    wheel = make_wheel()
    whole = wheel.read_bytes()
    assert whole.count(b"class Net") == 1
    wheel.write_bytes(whole.replace(b"class Net", b"class Nut"))

    assert refused(wheel) == "ncnn/ncnn.py in it is damaged (bad CRC-32): build or download it again"


@pytest.mark.parametrize("method", ["stored", "deflated", "lzma", "bzip2"])
def test_no_damaged_byte_gets_past_in_another_way_than_in_words(tmp_path: Path, method: str) -> None:
    wheel = tmp_path / "ncnn-1.0.20240820-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", getattr(zipfile, f"ZIP_{method.upper()}")) as archive:
        archive.writestr("ncnn/ncnn.py", "class Net: pass\n")
        archive.writestr("ncnn/größe.py", "")
    whole = wheel.read_bytes()
    check_whole(wheel)

    told: set[str] = set()
    for place, byte in enumerate(whole):
        for flipped in (byte ^ 0xFF, byte ^ 0x10):
            wheel.write_bytes(whole[:place] + bytes([flipped]) + whole[place + 1 :])
            try:
                # Bytes that say nothing of the content, such as its date, may be any.
                check_whole(wheel)
            except RuntimeNotFound as error:
                told.add(str(error))

    assert any("bad CRC-32" in text for text in told)
    assert all(text.endswith("build or download it again") and "()" not in text for text in told)


def test_wheel_whose_content_is_said_to_lie_beyond_all_files(make_wheel: MakeWheel, refused: Refused) -> None:
    wheel = make_wheel()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("ncnn/ncnn.py", "")
    whole = wheel.read_bytes()
    directory, end = whole.index(b"PK\x01\x02"), whole.index(b"PK\x05\x06")
    entry, tail = bytearray(whole[directory:end]), bytearray(whole[end:])
    place = struct.pack("<HHQ", 1, 8, 2**64 - 1)
    struct.pack_into("<H", entry, 30, len(place))
    struct.pack_into("<L", entry, 42, 0xFFFFFFFF)
    struct.pack_into("<L", tail, 12, len(entry) + len(place))
    wheel.write_bytes(whole[:directory] + entry + place + tail)

    assert refused(wheel).startswith("this is no whole wheel (")


def test_zip_file_that_is_no_wheel(tmp_path: Path, refused: Refused) -> None:
    folder = tmp_path / "holiday"
    folder.mkdir()
    (folder / "photo").touch()
    archive = shutil.make_archive(str(tmp_path / "photos"), "zip", folder)
    wheel = Path(archive).rename(tmp_path / "ncnn-1.0.20240820-py3-none-any.whl")

    assert ".dist-info directory not found" in refused(wheel)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"other/module.py": ""}, "can load (it has none at all)"),
        ({"ncnn/ncnn.cpython-36m.so": ""}, "can load (it has ncnn.cpython-36m.so)"),
        ({"ncnn/ncnn.so": "no library"}, "ncnn.so could not be loaded as ncnn: ImportError: ncnn.so: "),
        ({"ncnn/ncnn.py": "import os; os.abort()"}, "ncnn.py could not be loaded as ncnn: SIGABRT"),
        ({"ncnn/ncnn.py": "class Mat: pass"}, "ncnn.py can be loaded but has no Net"),
    ],
)
def test_wheel_that_holds_no_sound_ncnn(
    make_wheel: MakeWheel, refused: Refused, files: dict[str, str], reason: str
) -> None:
    assert reason in refused(make_wheel(files=files))
