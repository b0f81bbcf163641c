"""What a sweep costs: `ncnn-peakmem history` on one release, against a bare script a probe.

    python benchmarks/sweep_cost.py --profile quick

The bare scripts run as many loops, one after another as the sweep runs its probes, on the same CPU and in
the same minutes; what counts is the ratio. No test rests on it: clocks decide nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from ncnn_peakmem import catalog, machine, reliability, runtimes
from ncnn_peakmem.baselines import BaselineStore
from ncnn_peakmem.case import Case
from ncnn_peakmem.conversion import Cache, convert
from ncnn_peakmem.network import ModelFiles

_BARE = Path(reliability.__file__).with_name("bare_script.py")


@click.command()
@click.option("--profile", default="article", show_default=True)
@click.option("--models", type=click.Path(path_type=Path), default="models.yaml", show_default=True)
def main(profile: str, models: Path) -> None:
    """Time a sweep over PROFILE with the gauges heap and pages, and bare scripts doing the same."""
    known, cache, runtime = catalog.load(models), Cache(None), runtimes.installed()
    cases = known.cases(profile)
    converted = {case.network: convert(known.networks[case.network], cache) for case in cases}
    cpu = min(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpu})
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", "from ncnn_peakmem.cli import main; main()", "history"]
        command += ["--releases", runtime.version, "--profile", profile, "--models", str(models)]
        sweep = _seconds([*command, "--baseline-dir", folder])
        measured = BaselineStore(Path(folder)).load(machine.detect(), runtime.release).cases
    bare, probes = 0.0, 0
    networks: dict[str, float] = {}
    for case in cases:
        for reading in measured[case.id].readings.values():
            seconds = _seconds(_bare_command(case, converted[case.network], reading.loops))
            networks[case.network] = networks.get(case.network, 0.0) + seconds
            bare, probes = bare + seconds, probes + 1
    table = Table("network", "bare scripts, s", box=None)
    for network, seconds in networks.items():
        table.add_row(network, f"{seconds:.2f}")
    console = Console()
    console.print(table)
    each = f"{sweep / probes:.3f} s against {bare / probes:.3f} s a probe"
    console.print(f"{probes} probes: sweep {sweep:.1f} s, bare scripts {bare:.1f} s ({each})")
    console.print(f"ratio {sweep / bare:.3f}")


def _bare_command(case: Case, model: ModelFiles, loops: int) -> list[str]:
    (blob,) = model.inputs
    sizes = ",".join(str(size) for size in reversed(blob.shape))
    flags = [f"{name}={int(value)}" for name, value in case.flags.items()]
    files = [str(model.param), str(model.bin)]
    return [sys.executable, str(_BARE), *files, blob.name, model.outputs[0], sizes, str(loops), *flags]


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
