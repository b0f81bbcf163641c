"""The gate: no case takes more memory than its baseline allows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ncnn_peakmem.case import Case


@pytest.mark.usefixtures("measurement")
def test_peak_memory(case: Case, gate: Callable[[Case], None]) -> None:
    """Every gauge stays within its tolerance in every phase."""
    gate(case)
