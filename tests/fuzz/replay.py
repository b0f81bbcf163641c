"""One input again, without a fuzzer: `python -m tests.fuzz.replay TARGET FILE`."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path


def replay(target: str, data: bytes) -> None:
    """Raise what the target raises for these bytes."""
    import_module(f"tests.fuzz.targets.{target}").one_input(data)


if __name__ == "__main__":
    replay(sys.argv[1], Path(sys.argv[2]).read_bytes())
