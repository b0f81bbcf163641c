"""The module `ncnn.ncnn`: its file in a package folder, loaded once in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from ncnn_peakmem.runtimes.process import finish
from ncnn_peakmem.runtimes.runtime import RuntimeNotFound

_LOAD_TIMEOUT_SECONDS = 60

# It leaves without taking anything down: only loading is asked for.
_LOAD = """\
import importlib.util, os, sys
spec = importlib.util.spec_from_file_location("ncnn", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print("\\nloaded", hasattr(module, "Net"), getattr(module, "__version__", ""), flush=True)
os._exit(0)
"""


def this_python() -> str:
    """What a build must be made for, such as `cpython-311 on linux-x86_64`."""
    return f"{sys.implementation.cache_tag} on {sysconfig.get_platform()}"


def module_file(package: Path) -> Path:
    """The module's file in a package folder: an extension, or Python that stands in for one."""
    for suffix in (*EXTENSION_SUFFIXES, ".py"):
        module = package / f"ncnn{suffix}"
        if module.is_file():
            return module
    others = ", ".join(sorted(path.name for path in package.glob("ncnn*.so"))) or "none at all"
    raise RuntimeNotFound(
        f"there is no ncnn extension that {sys.implementation.cache_tag} can load (it has {others}): "
        f"build it for {this_python()}"
    )


def loaded_version(module: Path) -> str:
    """Load the module and have it tell its version, empty where it tells none.

    `RuntimeNotFound` where it cannot be loaded or is not ncnn: loading may also crash or hang.
    """
    command = [sys.executable, "-I", "-S", "-B", "-c", _LOAD, os.fspath(module)]
    # A probe's child gets no more than this either.
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    try:
        result = finish(command, _LOAD_TIMEOUT_SECONDS, kept)
    except RuntimeNotFound as error:
        raise RuntimeNotFound(f"{module.name} could not be loaded as ncnn: {error}") from None
    said = (result.stdout.splitlines() or [""])[-1].split(" ", 2)
    if result.returncode != 0 or said[0] != "loaded":
        cause = _cause(result).replace(os.fspath(module), module.name)
        raise RuntimeNotFound(
            f"{module.name} could not be loaded as ncnn: {cause}: it must be built for {this_python()}, "
            "and every library that it needs be there"
        )
    if said[1] != "True":
        raise RuntimeNotFound(
            f"{module.name} can be loaded but has no Net: this is not ncnn, name another build"
        )
    return said[2].strip()


def _cause(result: subprocess.CompletedProcess[str]) -> str:
    """Why a process did not do what it was to do: the signal that ended it, and its last words."""
    said = [line.strip() for line in result.stderr.splitlines() if line.strip()][-1:]
    if result.returncode < 0:
        return ": ".join([signal.Signals(-result.returncode).name, *said])
    return said[0] if said else f"exit status {result.returncode}"
