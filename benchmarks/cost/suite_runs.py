"""Parts `profile` and `collection`: whole runs of pytest, as users start them."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cost import rival, timing
from benchmarks.cost.figure import Aim, Figure
from ncnn_peakmem import catalog, runtimes
from ncnn_peakmem.case import Case
from ncnn_peakmem.conversion import Cache, convert
from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.probe import Job

_GATE = "benchmarks/test_peak_memory.py"
_CASES = 10_048
_MODELS = Path("models.yaml")


def profile(name: str) -> Iterator[Figure]:
    """A profile with `heap` and `pages`, by one worker and by two, and bare scripts that do as many loops."""
    known, cache, runtime = catalog.load(_MODELS), Cache(), runtimes.installed()
    cases = known.cases(name)
    models = {case.network: convert(known.networks[case.network], cache) for case in cases}
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "report.json"
        gauges = f"--peakmem-gauges={Gauge.HEAP},{Gauge.PAGES}"
        measured = [_GATE, f"--peakmem-profile={name}", gauges]
        two = _pytest(folder, *measured, "-n2")
        one = _pytest(folder, *measured, f"--peakmem-json={told}")
        (report,) = json.loads(told.read_text())["runs"]
    readings = {case["case"]: case["measurement"]["readings"].values() for case in report["cases"]}
    loops = [(case, reading["loops"]) for case in cases for reading in readings[case.id]]

    def script(case: Case, count: int) -> float:
        start = time.perf_counter()
        rival.bare(Job(runtime, models[case.network], case.flags, case.threads), count, cpu=0)
        return time.perf_counter() - start

    bare = sum(script(case, count) for case, count in loops)
    why = "Beside the probes themselves this is pytest's start and the reading of recordings."
    title = f"profile `{name}`, {len(cases)} cases, `pages` and `heap`"
    yield Figure(f"{title} / sum of bare scripts", (one / bare,), aim=Aim(1.25), why=why)
    yield Figure(f"{title}: one worker / two", (one / two,), aim=Aim(1.8, at_least=True))
    yield Figure(title, (one,), "s")


def collection(rounds: int) -> Iterator[Figure]:
    """`pytest --co` over 10,000 cases, and over those of the shipped models.yaml."""
    with tempfile.TemporaryDirectory() as folder:
        many = Path(folder) / "models.yaml"
        many.write_text(_many_models())
        for file in ("net.param", "net.bin"):
            (Path(folder) / file).touch()
        listing = [_GATE, "--co", "-q"]
        seconds = timing.in_turn(
            {
                "many": lambda: _pytest(folder, *listing, f"--peakmem-models={many}"),
                "few": lambda: _pytest(folder, *listing),
                "version": lambda: _peakmem(folder, "--version"),
            },
            rounds,
        )
    why = "Three quarters of it is pytest itself, which makes an item a case."
    yield Figure(f"collection of {_CASES:,} cases", tuple(seconds["many"]), "s", Aim(3), why)
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


def _pytest(folder: str, *arguments: str) -> float:
    """The seconds of one run, with the byte code of earlier ones, as any second run has it."""
    start = time.perf_counter()
    timing.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        environment=_code(folder),
    )
    return time.perf_counter() - start


def _peakmem(folder: str, *arguments: str) -> None:
    source = "from ncnn_peakmem.cli import main; main()"
    timing.run([sys.executable, "-c", source, *arguments], environment=_code(folder))


def _code(folder: str) -> dict[str, str]:
    return {"PYTHONPYCACHEPREFIX": f"{folder}/code", "PYTHONDONTWRITEBYTECODE": ""}
