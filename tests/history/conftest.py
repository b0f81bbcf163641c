"""Releases that stand in for real ones: they differ in what they hold, and count their probes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ncnn_peakmem import runtimes
from ncnn_peakmem.measurement import Phase
from ncnn_peakmem.runtimes import Runtime, RuntimeNotFound
from tests.models_file import EXACT, models_file

HELD = {"1.0.20240101": 0, "1.0.20250101": 1 << 18, "1.0.20260101": 1 << 16}
"""What each release holds after loading, in bytes, oldest first."""

COUNTING = """
import posix

__version__ = {version!r}

class Net(Net):
    def load_param(self, path):
        log = posix.open({log!r}, posix.O_WRONLY | posix.O_APPEND | posix.O_CREAT)
        posix.write(log, b"{version}\\n")
        number = posix.lseek(log, 0, 1) // {line}
        posix.close(log)
        for signal in (2, 9):
            try:
                posix.stat({signals!r} + str(number) + "-" + str(signal))
            except FileNotFoundError:
                continue
            posix.kill(posix.getppid(), signal)
        return super().load_param(path)
"""


MODELS = models_file(
    {"both": "{networks: all, axes: [lightmode]}"},
    reference="1.0.20260101",
    loops=(12, 400),
    tolerances=EXACT,
)
LIGHT, HEAVY = "small-fp32-light-t1", "small-fp32-heavy-t1"


@pytest.fixture
def models(small_param: Path, tmp_path: Path) -> Path:
    """A models file with the small network, light and heavy."""
    assert small_param.parent == tmp_path
    path = tmp_path / "models.yaml"
    path.write_text(MODELS)
    return path


@dataclass(frozen=True)
class Releases:
    """Stand-ins where `from_release` finds them installed, in `cache`."""

    cache: Path
    log: Path
    signals: Path
    builds: dict[str, Runtime]

    @property
    def versions(self) -> tuple[str, ...]:
        """Oldest first."""
        return tuple(self.builds)

    def resolve(self, version: str) -> Runtime:
        """The stand-in for a release; any other is not to be had."""
        if version not in self.builds:
            raise RuntimeNotFound(f"no release {version}")
        return self.builds[version]

    def probes(self) -> list[str]:
        """The release of every probe that loaded a network so far, in order."""
        return self.log.read_text().split() if self.log.exists() else []

    def signal_parent_of(self, probe: int, number: int) -> None:
        """Have a probe, the first being 1, send SIGINT or SIGKILL to the process that runs it."""
        self.signals.joinpath(f"{probe}-{number:d}").touch()


@pytest.fixture
def releases(stand_in: Callable[..., Runtime], tmp_path: Path) -> Releases:
    cache, log, signals = tmp_path / "cache", tmp_path / "probes.log", tmp_path / "signals"
    signals.mkdir()
    builds = {}
    for version, held in HELD.items():
        package = stand_in(Phase.LOAD_MODEL, held).module.parent
        place = cache / "runtimes" / f"release-{version}-{sys.implementation.cache_tag}"
        place.parent.mkdir(parents=True, exist_ok=True)
        package.parent.rename(place)
        module = place / "ncnn" / "ncnn.py"
        counting = COUNTING.format(
            version=version, log=str(log), line=len(version) + 1, signals=f"{signals}/"
        )
        module.write_text(module.read_text() + counting)
        builds[version] = Runtime(version, module)
    assert runtimes.from_release("1.0.20250101", cache) == builds["1.0.20250101"]
    return Releases(cache, log, signals, builds)
