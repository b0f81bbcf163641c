"""Part `probe`: one probe against a script that does the same; part `heaptrack`: against that tool."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks.cost import rival, timing
from benchmarks.cost.figure import Aim, Figure
from ncnn_peakmem import catalog, runtimes
from ncnn_peakmem.conversion import Cache, convert
from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.network import Loops
from ncnn_peakmem.probe import Conditions, Job, probe
from ncnn_peakmem.probe.launcher import PAGE_GRANULAR_MALLOC

NETWORKS = ("mobilenet_v2", "resnet18", "shufflenet_v2")
_AIM = Aim(1.1)
_WHY = {
    Gauge.PAGES: "Mapping every block by itself costs page faults; a script under this malloc has them too.",
    Gauge.HEAP: "The recorder has to be loaded, every allocation is recorded, and each record "
    "becomes a Python object when the parent reads it.",
    Gauge.DEPLOYED: "",
}


def against_scripts(rounds: int) -> Iterator[Figure]:
    """Every gauge on a small network, a middling one, and the one with hundreds of loops."""
    for network in NETWORKS:
        job, count = _job(network)
        cpu, loops = min(os.sched_getaffinity(0)), Loops(count, count)
        ways: dict[str, Callable[[], object]] = {
            "bare": partial(rival.bare, job, count, cpu),
            "lean": partial(rival.lean, job, count, cpu),
            "malloc": partial(rival.lean, job, count, cpu, PAGE_GRANULAR_MALLOC),
        }
        for gauge in Gauge:
            ways[gauge] = partial(probe, gauge, job, loops, Conditions(cpu=cpu))
        seconds = timing.in_turn(ways, max(3, rounds // 2) if count > 100 else rounds)
        told = f"{network}, {count} loops"
        for gauge in Gauge:
            ratio = timing.ratios(seconds[gauge], seconds["bare"])
            yield Figure(f"probe `{gauge}` / bare script ({told})", ratio, aim=_AIM, why=_WHY[gauge])
        for gauge in Gauge:
            ratio = timing.ratios(seconds[gauge], seconds["lean"])
            yield Figure(f"probe `{gauge}` / lean script ({told})", ratio)
        ratio = timing.ratios(seconds[Gauge.PAGES], seconds["malloc"])
        yield Figure(f"probe `pages` / lean script under its malloc ({told})", ratio)


def against_heaptrack(rounds: int) -> Iterator[Figure]:
    """The heap as the suite traces it, and as heaptrack does; nothing where heaptrack is not installed."""
    if shutil.which("heaptrack") is None:
        return
    job, count = _job(NETWORKS[0])
    cpu, loops = min(os.sched_getaffinity(0)), Loops(count, count)

    def traced_by_heaptrack() -> None:
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "trace"
            timing.run(["heaptrack", "-o", str(output), *rival.command(job, count)], cpu=cpu)
            (trace,) = Path(folder).iterdir()
            timing.run(["heaptrack_print", str(trace)], cpu=cpu)

    seconds = timing.in_turn(
        {
            "ours": lambda: probe(Gauge.HEAP, job, loops, Conditions(cpu=cpu)),
            "theirs": traced_by_heaptrack,
            "bare": lambda: rival.bare(job, count, cpu),
        },
        rounds,
    )
    told = f"({NETWORKS[0]}, {count} loops)"
    theirs = timing.ratios(seconds["theirs"], seconds["bare"])
    yield Figure(
        f"probe `heap` / heaptrack {told}", timing.ratios(seconds["ours"], seconds["theirs"]), aim=Aim(1)
    )
    yield Figure(f"heaptrack / bare script {told}", theirs)


def _job(network: str) -> tuple[Job, int]:
    known = catalog.load(Path("models.yaml")).networks[network]
    return Job(runtimes.installed(), convert(known, Cache()), {}), known.loops.minimum
