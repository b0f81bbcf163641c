"""Loads the pytest layer for `benchmarks/` and `tests/`."""

pytest_plugins = ["fixtures.plugin", "pytester"]
