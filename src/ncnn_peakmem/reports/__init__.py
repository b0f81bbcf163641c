"""Verdicts and measurements, told to people and programs: one file a format."""

from ncnn_peakmem.reports.explanation import explain
from ncnn_peakmem.reports.run_report import RunReport

__all__ = ["RunReport", "explain"]
