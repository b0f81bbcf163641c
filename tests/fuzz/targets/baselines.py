"""Bytes as a baseline file: figures that are written and read again as they were, or BaselineError."""

from __future__ import annotations

from pathlib import Path

from ncnn_peakmem.baselines import BaselineError, record
from ncnn_peakmem.baselines.judge import judge
from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.tolerance import GaugeTolerance, Tolerance

TOKENS = (
    *('"schema": 1', '"ncnn"', '"machine"', '"cases"', '"model"', '"readings"', '"outcome"', '"ok"'),
    *('"loops"', '"settled_at"', '"caveats"', '"phases"', '"heap"', '"pages"', '"peak"', '"live"'),
    *("<<<<<<<", "NaN", "1e999", '"\\ud800"', "../", "{}", "[]", "null", "-1", "281474976710657"),
)

_PATH = Path("machine", "1.0.20261020.json")
_TOLERANCES = dict.fromkeys(Gauge, GaugeTolerance(Tolerance(), Tolerance()))


def one_input(data: bytes) -> None:
    """Parse, render, parse; judge each case against itself."""
    try:
        stored = record.parse(data, _PATH)
    except BaselineError as error:
        assert str(error).startswith(str(_PATH))
        return
    assert record.parse(record.render(stored), _PATH) == stored
    for case, measurement in stored.cases.items():
        assert _PATH.with_name(case).parent == _PATH.parent
        assert judge(measurement, measurement, _TOLERANCES, same_release=True).kind == "same"
