"""What a history tells, as a page of Markdown with charts."""

from ncnn_peakmem.reports.findings.page import charts, render

__all__ = ["charts", "render"]
