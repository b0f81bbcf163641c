"""One target under libFuzzer: `python -m tests.fuzz.harness TARGET [libFuzzer's own arguments]`."""

from __future__ import annotations

import shlex
import sys
from importlib import import_module

import atheris


def main(target: str, *arguments: str) -> None:
    """Fuzz until libFuzzer has had enough; it ends the process itself."""
    with atheris.instrument_imports(include=["ncnn_peakmem"], enable_loader_override=False):
        one_input = import_module(f"tests.fuzz.targets.{target}").one_input
    # Merging, libFuzzer starts itself again and again, through a shell and by this name.
    itself = shlex.join([sys.executable, "-m", "tests.fuzz.harness", target])
    atheris.Setup([itself, *arguments], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
