"""docs/accounting.md is what the code makes of the graphs and the baselines of today."""

from __future__ import annotations

import pytest

from benchmarks.accounting_page import PAGE, page
from ncnn_peakmem.conversion import Cache
from ncnn_peakmem.reports.accounting import COMMAND


@pytest.mark.slow
def test_committed_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(Cache()), f"make it anew: {COMMAND}"
