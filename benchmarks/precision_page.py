"""Writes docs/precisions.md from docs/precisions.json and the newest of the stored baselines.

docs/precisions.json is what `ncnn-peakmem convert --json` told of the networks of models.yaml.
"""

from __future__ import annotations

from benchmarks.accounting_page import ROOT, newest
from ncnn_peakmem import catalog
from ncnn_peakmem.baselines import BaselineStore
from ncnn_peakmem.reports import conversion, precisions

PAGE = ROOT / "docs" / "precisions.md"
FILES = PAGE.with_suffix(".json")


def page() -> str:
    """The page as it should be."""
    known = catalog.load(ROOT / "models.yaml")
    measured = newest(BaselineStore(ROOT / "baselines"))
    files = conversion.parse(FILES.read_bytes())
    return precisions.render(measured, known.cases("article"), known.cases("precisions"), files)


if __name__ == "__main__":
    PAGE.write_text(page())
