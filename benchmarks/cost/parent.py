"""Part `parent`: the memory of the process that measures, over a long sweep."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cost.figure import Aim, Figure
from ncnn_peakmem import machine, runtimes
from ncnn_peakmem.case import Case, Precision
from ncnn_peakmem.conversion import Cache
from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.network import Loops, NcnnFiles, Network
from ncnn_peakmem.probe import Conditions
from ncnn_peakmem.probe.process_status import read_status
from ncnn_peakmem.run import Run

_WARM, _CASES = 50, 450
_KIB = 1024
_PARAM = """\
7767517
2 2
Input            data     0 1 data 0=32 1=32 2=3
Convolution      conv     1 1 data conv 0=16 1=3 4=1 5=1 6=432 9=1
"""


def memory() -> Iterator[Figure]:
    """What stays resident in the parent after `_WARM` cases, and how much more after `_CASES`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "net.param").write_text(_PARAM)
        run = Run(
            folder=folder / "run",
            runtime=runtimes.installed(),
            machine=machine.detect(),
            gauges=frozenset({Gauge.HEAP, Gauge.PAGES}),
            conditions=Conditions.pinned(),
            cache=Cache(folder / "cache"),
        )
        resident, blocks = [], []
        for number in range(_CASES):
            case = Case(f"net_{number}", Precision.FP32, ())
            files = NcnnFiles(folder / "net.param")
            measured = run.measure(case, Network(case.network, files, loops=Loops(2, 2)))
            assert measured.outcome.ok, measured.outcome
            if number + 1 in {_WARM, _CASES}:
                gc.collect()
                resident.append(read_status(os.getpid()).rss_anon)
                blocks.append(sys.getallocatedblocks())
    warm, end = resident
    told = f"parent's memory, from case {_WARM} to case {_CASES}"
    why = f"Python holds {blocks[1] - blocks[0]:+,} blocks of memory more than at case {_WARM}."
    yield Figure(told, ((end - warm) / _KIB,), "KiB", Aim(512, why))
