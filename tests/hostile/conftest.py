"""A catalog that is valid but for what a test makes hostile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

NETWORK = "net: {topology: alexnet}"
VALID = f"""\
schema: 1
default_profile: small
reference_release: 1.0.20260526
step_timeout_seconds: 120
networks:
  {NETWORK}
axes:
  mode: {{default: light, id: always, choices: {{light: {{lightmode: true}}, heavy: {{lightmode: false}}}}}}
profiles:
  small: [{{networks: all, axes: [mode], threads: [1]}}]
tolerances:
"""
for _gauge in ("heap", "pages", "deployed"):
    VALID += f"  {_gauge}:\n"
    for _comparison in ("between_releases", "same_release"):
        VALID += f"    {_comparison}: {{absolute: 0, relative: 0 %}}\n"


@pytest.fixture
def hostile_catalog(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write the catalog with one text in place of another; `("", "")` leaves it as it is."""

    def write(old: str, new: str) -> Path:
        assert not old or VALID.count(old) == 1
        folder = tmp_path / "project"
        folder.mkdir(exist_ok=True)
        path = folder / "models.yaml"
        path.write_text(VALID.replace(old, new) if old else VALID)
        return path

    return write
