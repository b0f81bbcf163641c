"""Probes of the small network, and a module in place of ncnn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ncnn_peakmem import runtimes
from ncnn_peakmem.measurement import Gauge, Reading
from ncnn_peakmem.network import Loops, ModelFiles
from ncnn_peakmem.probe import (
    Conditions,
    Job,
    probe,
)
from ncnn_peakmem.runtimes import Runtime
from tests.pretended_ncnn import BUT_NET

Measure = Callable[..., Reading]


@pytest.fixture
def measure(small_model: ModelFiles) -> Measure:
    def run(
        gauge: Gauge,
        *,
        model: ModelFiles = small_model,
        runtime: Runtime | None = None,
        flags: Mapping[str, bool] | None = None,
        conditions: Conditions | None = None,
        loops: Loops | None = None,
    ) -> Reading:
        job = Job(runtime or runtimes.installed(), model, flags or {})
        return probe(gauge, job, loops or Loops(), conditions or Conditions())

    return run


def fake(tmp_path: Path, body: str) -> Runtime:
    """A package in place of ncnn whose Net has the given methods."""
    package = tmp_path / "fake" / "ncnn"
    package.mkdir(parents=True)
    (package / "ncnn.py").write_text(f"__version__ = '1.0.20990101'\n{body}")
    return Runtime("1.0.20990101", package / "ncnn.py")


NET = (
    BUT_NET
    + """
class Net:
    opt = Opt()
    def load_param(self, path): return 0
    def load_model(self, reader): return 0
    def create_extractor(self): return Extractor()
    def clear(self): pass
"""
)
