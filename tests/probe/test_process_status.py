"""What the kernel tells of a process, where two places tell of the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ncnn_peakmem.probe import process_status


@pytest.mark.parametrize(
    ("kernel_wide", "enabled"),
    [("always madvise [never]", False), ("always [madvise] never", True), ("[always] madvise never", True)],
)
def test_no_process_has_huge_pages_where_the_kernel_gives_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel_wide: str, enabled: bool
) -> None:
    told = tmp_path / "enabled"
    told.write_text(f"{kernel_wide}\n")
    monkeypatch.setattr(process_status, "HUGE_PAGES", told)

    assert process_status.read_status(os.getpid()).thp_enabled is enabled


def test_huge_pages_are_taken_as_given_where_the_kernel_does_not_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_status, "HUGE_PAGES", tmp_path / "none")

    assert process_status.read_status(os.getpid()).thp_enabled
