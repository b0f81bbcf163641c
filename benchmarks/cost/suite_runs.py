"""Parts `profile` and `collection`: whole runs of pytest, as users start them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from xml.etree import ElementTree

from benchmarks.cost import between_cases
from benchmarks.cost.figure import Aim, Figure
from ncnn_peakmem import catalog, runtimes
from ncnn_peakmem.case import Case
from ncnn_peakmem.conversion import Cache, convert
from ncnn_peakmem.measurement import Gauge, Measurement
from ncnn_peakmem.network import ModelFiles
from ncnn_peakmem.probe import Conditions, Job
from ncnn_peakmem.reliability import rival
from ncnn_peakmem.reliability.rival import NotTimed
from ncnn_peakmem.reliability.turns import in_turn, ratios
from ncnn_peakmem.runtimes import Runtime

_GATE = "benchmarks/test_peak_memory.py"
_CASES = 10_048
_MODELS = Path("models.yaml")
_TRIVIAL = f"""\
import pytest

@pytest.mark.parametrize("case", [f"net_{{number}}-fp32-light-half-plain-t1" for number in range({_CASES})])
def test_nothing(case):
    pass
"""


@dataclass(frozen=True, slots=True)
class _Scripts:
    """The plain scripts of a profile's cases."""

    runtime: Runtime
    cases: dict[str, Case]
    models: dict[str, ModelFiles]
    conditions: Conditions

    def run(self, measured: Measurement) -> None:
        """Those of one case: one for each of its probes, with as many loops."""
        case = self.cases[measured.case]
        job = Job(self.runtime, self.models[case.network], case.flags, case.threads)
        for gauge, reading in measured.readings.items():
            if not reading.outcome.ok:
                raise NotTimed(f"{case.id} with `{gauge}` has no figures: {reading.outcome.cause}")
            rival.bare(job, reading.loops, self.conditions)


def profile(name: str) -> Iterator[Figure]:
    """A profile with `heap` and `pages`, by one worker and by two, and bare scripts that do as many loops.

    One run by one worker stands still after each case, while its scripts run, and half-way, while two workers
    run the whole: what is compared is as near in time as can be, and a run starts and ends once.
    """
    known, cache = catalog.load(_MODELS), Cache()
    cases = {case.id: case for case in known.cases(name)}
    models = {case.network: convert(known.networks[case.network], cache) for case in cases.values()}
    conditions = Conditions.pinned(known.step_timeout_seconds)
    scripts = _Scripts(runtimes.installed(), cases, models, conditions)
    with tempfile.TemporaryDirectory() as folder:
        gauges = f"--peakmem-gauges={Gauge.HEAP},{Gauge.PAGES}"
        measuring = [f"--peakmem-profile={name}", gauges, "--peakmem-update"]
        first = f"{_GATE}::test_peak_memory[{next(iter(cases))}]"
        for workers in ("-n0", "-n2"):
            _pytest(folder, first, *measuring, f"--peakmem-baseline-dir={folder}/first", workers)
        parts, bare, two, two_cases = [], 0.0, 0.0, 0.0
        with closing(_stepped(folder, _GATE, *measuring, f"--peakmem-baseline-dir={folder}/one")) as stops:
            for number, (seconds, told) in enumerate(stops):
                parts.append(seconds)
                if told:
                    bare += _seconds(partial(scripts.run, Measurement.from_json(told)))
                if number == (len(cases) + 1) // 2:
                    results = f"{folder}/two.xml"
                    apart = (f"--peakmem-baseline-dir={folder}/two", "-n2", f"--junitxml={results}")
                    two = _pytest(folder, _GATE, *measuring, *apart)
                    two_cases = _testing(results)
    starting, *testing, ending = parts
    one, one_cases = sum(parts), sum(testing)
    title = f"profile `{name}`, {len(cases)} cases, `pages` and `heap`"
    around = f"pytest's start and end {starting + ending:.1f} s"
    why = f"Of {one:.1f} s the cases take {one_cases:.1f} s and {around}; the scripts take {bare:.1f} s."
    yield Figure(f"{title} / sum of bare scripts", (one / bare,), aim=Aim(1.25, why))
    slower = f"Beside another one a case takes {two_cases / one_cases:.2f} times as long as alone"
    why = f"{slower}; {two - two_cases / 2:.1f} s of {two:.1f} s are start, end and waiting."
    yield Figure(f"{title}: one worker / two", (one / two,), aim=Aim(1.8, why, at_least=True))
    yield Figure(title, (one,), "s")


def collection(rounds: int) -> Iterator[Figure]:
    """`pytest --co` over 10,000 cases, as many parametrized tests without us, and the shipped models.yaml."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        many, trivial = folder / "models.yaml", folder / "alone"
        many.write_text(_many_models())
        for file in ("net.param", "net.bin"):
            (folder / file).touch()
        trivial.mkdir()
        (trivial / "pytest.ini").write_text("[pytest]\n")
        (trivial / "test_nothing.py").write_text(_TRIVIAL)
        seconds = in_turn(
            {
                "many": lambda: _pytest(name, _GATE, "--co", f"--peakmem-models={many}"),
                "alone": lambda: _pytest(name, "--co", at=trivial),
                "few": lambda: _pytest(name, _GATE, "--co"),
                "version": lambda: _peakmem(name, "--version"),
            },
            rounds,
        )
    alone = median(seconds["alone"])
    why = f"pytest alone takes {alone:.2f} s to collect as many parametrized tests that do nothing."
    yield Figure(f"collection of {_CASES:,} cases", tuple(seconds["many"]), "s", Aim(3, why))
    ratio = ratios(seconds["many"], seconds["alone"])
    yield Figure(f"collection of {_CASES:,} cases / of as many tests by pytest alone", ratio)
    yield Figure("collection of the article's 72 cases", tuple(seconds["few"]), "s")
    yield Figure("`ncnn-peakmem --version`", tuple(seconds["version"]), "s")


def _many_models() -> str:
    """The shipped file with other networks and one profile: 157 networks in 64 ways each."""
    text = _MODELS.read_text()
    head, _, rest = text.partition("\nnetworks:\n")
    axes, _, rest = rest[rest.index("axes:\n") :].partition("\nprofiles:\n")
    tolerances = rest[rest.index("tolerances:\n") :]
    networks = "\n".join(
        f"  net_{number}: {{param: net.param, bin: net.bin}}" for number in range(_CASES // 64)
    )
    grid = "{networks: all, axes: [lightmode, fp16, int8, bf16, winograd], threads: [1, 2]}"
    profiles = f"profiles:\n  article:\n    - {grid}\n"
    return f"{head}\nnetworks:\n{networks}\n\n{axes}\n{profiles}\n{tolerances}"


def _stepped(folder: str, *arguments: str) -> Generator[tuple[float, bytes]]:
    """A run that stands still for as long as its stops are looked at; `NotTimed` where it fails.

    Of each stretch the seconds, and what was measured in it: nothing in the first, up to the first case, and
    in the last, from the last case to the end.
    """
    mine, theirs = socket.socketpair()
    start = time.perf_counter()
    with mine, mine.makefile("rb") as lines, tempfile.TemporaryFile() as log:
        with theirs:
            wire = theirs.fileno()
            process = subprocess.Popen(
                [*_command(*arguments), "-p", between_cases.__name__],
                env={**os.environ, **_code(folder), between_cases.WIRE: str(wire)},
                pass_fds=[wire],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            while line := lines.readline():
                yield time.perf_counter() - start, line.strip()
                start = time.perf_counter()
                mine.sendall(b".")
            if status := process.wait():
                log.seek(0)
                printed = log.read().decode(errors="replace")
                raise NotTimed(f"pytest failed: {rival.last_word(printed, status)}")
            yield time.perf_counter() - start, b""
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()


def _testing(results: str) -> float:
    """The seconds that the tests of a run took, all together, as pytest tells in its JUnit file."""
    root = ElementTree.parse(results)  # noqa: S314 - written by our own run
    return sum(float(case.attrib["time"]) for case in root.iter("testcase"))


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _pytest(folder: str, *arguments: str, at: Path | None = None) -> float:
    """The seconds of one run, with the byte code of earlier ones, as any second run has it."""
    run = partial(rival.run, "pytest", _command(*arguments), environment=_code(folder), folder=at)
    return _seconds(run)


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]


def _peakmem(folder: str, *arguments: str) -> None:
    source = "from ncnn_peakmem.cli import main; main()"
    rival.run("ncnn-peakmem", [sys.executable, "-c", source, *arguments], environment=_code(folder))


def _code(folder: str) -> dict[str, str]:
    return {"PYTHONPYCACHEPREFIX": f"{folder}/code", "PYTHONDONTWRITEBYTECODE": ""}
