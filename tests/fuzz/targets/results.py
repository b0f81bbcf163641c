"""Bytes as JSON of a measurement or of a report: written and read again as it was, or ValueError."""

from __future__ import annotations

from pydantic import ValidationError

from ncnn_peakmem.measurement import Measurement
from ncnn_peakmem.reports import json_report

TOKENS = (
    *('"schema": 2', '"runs"', '"cases"', '"case"', '"measurement"', '"verdict"', '"changes"', '"peaks"'),
    *('"machine"', '"baseline"', '"note"', '"file"', '"stale"', '"title"', '"digest"', '"readings"'),
    *('"outcome"', '"kind"', '"ok"', '"crashed"', '"phases"', '"first"', '"peak"', "null", "NaN", "1e999"),
)


def one_input(data: bytes) -> None:
    """Both parsers have to do with any bytes."""
    try:
        measured = Measurement.from_json(data)
    except ValidationError:
        pass
    else:
        assert Measurement.from_json(measured.to_json()) == measured
    try:
        reports = json_report.parse(data)
    except ValueError:
        return
    assert json_report.parse(json_report.render(*reports)) == reports
