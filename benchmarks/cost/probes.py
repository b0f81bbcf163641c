"""Part `probe`: one probe against a script that does the same; part `heaptrack`: against that tool."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.cost import lean_script
from benchmarks.cost.figure import Aim, Figure
from ncnn_peakmem import catalog, runtimes
from ncnn_peakmem.conversion import Cache, convert
from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.probe import Conditions, Job
from ncnn_peakmem.probe.controls import PAGE_GRANULAR_MALLOC
from ncnn_peakmem.reliability import rival
from ncnn_peakmem.reliability.cost import probe_all
from ncnn_peakmem.reliability.rival import NotTimed
from ncnn_peakmem.reliability.turns import in_turn, ratios

NETWORKS = ("mobilenet_v2", "resnet18", "shufflenet_v2")
_SUMMARY_ONLY = tuple(f"--print-{what}=0" for what in ("peaks", "allocators", "temporary", "leaks"))


def against_scripts(rounds: int) -> Iterator[Figure]:
    """Every gauge on a small network, a middling one, and the one with hundreds of loops."""
    for network in NETWORKS:
        job, count = _job(network)
        conditions = _conditions()
        ways: dict[str, Callable[[], object]] = {
            "bare": partial(rival.bare, job, count, conditions),
            "lean": partial(lean_script.lean, job, count, conditions),
            "malloc": partial(lean_script.lean, job, count, conditions, PAGE_GRANULAR_MALLOC),
        }
        for gauge in Gauge:
            ways[gauge] = partial(probe_all, gauge, job, count, conditions)
        seconds = in_turn(ways, max(3, rounds // 2) if count > 100 else rounds)
        told = f"{network}, {count} loops"
        for gauge in Gauge:
            aim = Aim(1.1, _share(gauge, {way: median(taken) for way, taken in seconds.items()}))
            ratio = ratios(seconds[gauge], seconds["bare"])
            yield Figure(f"probe `{gauge}` / bare script ({told})", ratio, aim=aim)
        for gauge in Gauge:
            yield Figure(f"probe `{gauge}` / lean script ({told})", ratios(seconds[gauge], seconds["lean"]))
        ratio = ratios(seconds[Gauge.PAGES], seconds["malloc"])
        yield Figure(f"probe `pages` / lean script under its malloc ({told})", ratio)


def _share(gauge: Gauge, seconds: dict[str, float]) -> str:
    """What a probe's seconds are made of, by its rivals' seconds."""
    lean, mine = f"the lean script takes {seconds['lean']:.2f} s", f"Of {seconds[gauge]:.2f} s"
    match gauge:
        case Gauge.HEAP:
            untraced = seconds[Gauge.DEPLOYED]
            return f"{mine} a probe that does not trace takes {untraced:.2f} s: tracing is the rest."
        case Gauge.PAGES:
            return f"{mine} {lean}, and {seconds['malloc']:.2f} s under this malloc: the probe is the rest."
        case Gauge.DEPLOYED:
            return f"{mine} {lean}: the probe is the rest."


def against_heaptrack(rounds: int) -> Iterator[Figure]:
    """The heap as the suite traces it, and as heaptrack does; `NotTimed` where heaptrack is not installed."""
    if shutil.which("heaptrack") is None:
        raise NotTimed("heaptrack is not installed: it is a package of that name in most distributions")
    job, count = _job(NETWORKS[0])
    conditions = _conditions()

    def traced_by_heaptrack() -> None:
        with tempfile.TemporaryDirectory() as folder:
            # Only what is traced is pinned, as in a probe: what reads along has the other CPUs.
            script = lean_script.command(job, count, cpu=conditions.cpu)
            rival.run("heaptrack", ["heaptrack", "-o", f"{folder}/trace", *script])
            (trace,) = Path(folder).iterdir()
            rival.run("heaptrack_print", ["heaptrack_print", *_SUMMARY_ONLY, str(trace)])

    seconds = in_turn(
        {
            "ours": partial(probe_all, Gauge.HEAP, job, count, conditions),
            "theirs": traced_by_heaptrack,
            "bare": partial(rival.bare, job, count, conditions),
        },
        rounds,
    )
    told = f"({NETWORKS[0]}, {count} loops)"
    theirs, ours = (ratios(seconds[way], seconds["bare"]) for way in ("theirs", "ours"))
    why = f"The probe takes {median(ours):.2f} times the bare script, heaptrack {median(theirs):.2f} times."
    ratio = ratios(seconds["ours"], seconds["theirs"])
    yield Figure(f"probe `heap` / heaptrack {told}", ratio, aim=Aim(1, why))
    yield Figure(f"heaptrack / bare script {told}", theirs)


def _conditions() -> Conditions:
    return Conditions.pinned()


def _job(network: str) -> tuple[Job, int]:
    known = catalog.load(Path("models.yaml")).networks[network]
    return Job(runtimes.installed(), convert(known, Cache()), {}), known.loops.minimum
