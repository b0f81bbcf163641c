"""What a traced child finds in memray's place records as memray does, and leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import memray

from ncnn_peakmem import probe
from ncnn_peakmem.probe.heap_trace import Stretch, stretches

RECORDER = Path(probe.__file__).with_name("recorder")
SITE = Path(memray.__file__).parents[1]

RECORDING = """
import sys
sys.path.extend(sys.argv[2:])
import mmap, memray
tracker = memray.Tracker(sys.argv[1])
tracker.__enter__()
mmap.mmap(-1, 7).close()
from memray._test_utils import MemoryAllocator
allocator = MemoryAllocator()
allocator.posix_memalign(12345)
mmap.mmap(-1, 7).close()
tracker.__exit__(None, None, None)
import pathlib, platform, datetime
print(pathlib.Path("/").exists(), platform.system(), datetime.datetime.min.year, "rich" in sys.modules)
"""


def record(trace: Path, *search: Path) -> str:
    command = [sys.executable, "-I", "-S", "-B", "-c", RECORDING, str(trace), *map(str, search)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_it_records_as_memray_does(tmp_path: Path) -> None:
    record(tmp_path / "whole", SITE)
    record(tmp_path / "alone", RECORDER, SITE)

    assert list(stretches(tmp_path / "alone")) == [Stretch(0, 0), Stretch(12345, 12345)]
    assert list(stretches(tmp_path / "whole")) == list(stretches(tmp_path / "alone"))


def test_what_it_stands_in_for_is_gone_before_ncnn_is_imported(tmp_path: Path) -> None:
    assert record(tmp_path / "trace", RECORDER, SITE).split() == ["True", "Linux", "1", "False"]


def test_a_memray_of_another_version_is_loaded_as_a_whole(tmp_path: Path) -> None:
    package = tmp_path / "site" / "memray"
    package.mkdir(parents=True)
    for file in Path(memray.__file__).parent.iterdir():
        (package / file.name).symlink_to(file)
    for libraries in SITE.glob("memray.libs"):
        (package.parent / libraries.name).symlink_to(libraries)
    (package / "_version.py").unlink()
    (package / "_version.py").write_text('__version__ = "1.20.1"\n')

    told = record(tmp_path / "trace", RECORDER, package.parent, SITE)

    assert told.split()[-1] == "True"
    assert list(stretches(tmp_path / "trace")) == [Stretch(0, 0), Stretch(12345, 12345)]
