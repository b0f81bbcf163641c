"""A small valid catalog that tests change in one place, and a way to write it down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

VALID = """\
schema: 1
default_profile: small
reference_release: 1.0.20260526
step_timeout_seconds: 120
loops: {minimum: 12, maximum: 400, settle_factor: 2}
networks:
  resnet18: {topology: resnet18}
  alexnet: {topology: alexnet}
axes:
  lightmode:
    choices:
      light: {lightmode: true}
      heavy: {lightmode: false}
    default: light
    id: always
  sgemm:
    choices:
      gemm: {use_sgemm_convolution: true}
      naive: {use_sgemm_convolution: false}
    default: gemm
    id: unless_default
profiles:
  small:
    - {networks: all, axes: [lightmode], threads: [1]}
tolerances:
  heap:
    between_releases: {absolute: 16 KiB, relative: 0.1 %}
    same_release: {absolute: 0, relative: 0 %}
  pages:
    between_releases: {absolute: 64 KiB, relative: 0.25 %}
    same_release: {absolute: 16 KiB, relative: 0 %}
  deployed:
    between_releases: {absolute: 4 MiB, relative: 5 %}
    same_release: {absolute: 4 MiB, relative: 5 %}
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a catalog into the test's folder: the valid one, with pairs of (old, new) replaced."""

    def write(*changes: tuple[str, str]) -> Path:
        text = VALID
        for old, new in changes:
            assert text.count(old) == 1, f"{old!r} must be in the catalog once"
            text = text.replace(old, new)
        path = tmp_path / "models.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
