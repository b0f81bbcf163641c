"""What a traced child finds where it imports memray: the recorder alone, without all that the package loads.

The whole package brings terminal widgets, IPython's glue and type hints, which takes longer than loading ncnn
and a small network. Recording needs none of them: they are stood in for while the recorder is loaded and
begun, and gone before ncnn is imported. What they have to be is known of one version; any other is loaded as
a whole. That is decided before: an extension once loaded is bound to what it found.
"""

# The recorder needs these as they are; loaded now, they never see a stand-in.
import contextlib
import enum
import os
import sys
import threading

MYPY = False
if MYPY:
    from typing import Any

_LOADED_FIRST = (contextlib, enum, threading)
_PACKAGE = "memray"
_VERSION_FILE = '__version__ = "1.20.0"'


class _Nothing:
    """Any name that the recorder imports and recording does not use."""

    def __init__(self, *_: object) -> None:
        pass


class _Path(_Nothing):
    def samefile(self, _: str) -> bool:
        """Asked of /dev/null, to tell whether the recording is to be thrown away."""
        return False


class _Destination(_Nothing):
    """Where to record to. Not compressed: it is read once, soon, and removed."""

    overwrite = compress_on_exit = buffered = False

    def __init__(self, path: str) -> None:
        self.path = path


def _no_paths() -> dict[str, object]:
    """What reports would tell modules apart by."""
    return {"stdlib": None, "site_packages": [], "sys_path": []}


_STAND_INS: dict[str, dict[str, object]] = {
    "datetime": {"datetime": _Nothing},
    "pathlib": {"Path": _Path},
    "platform": {},
    "rich": {"print": print},
    "rich.progress": {"Progress": _Nothing, "SpinnerColumn": _Nothing},
    "memray._destination": {
        "Destination": _Nothing,
        "FileDestination": _Destination,
        "SocketDestination": type("SocketDestination", (), {}),
    },
    "memray._metadata": {"Metadata": _Nothing},
    "memray._stats": {"Stats": _Nothing},
    "memray._thread_name_interceptor": {"ThreadNameInterceptor": _Nothing},
    "memray.reporters": {},
    "memray.reporters.module_tools": {"get_python_path_info": _no_paths},
}


def Tracker(path: str) -> object:  # noqa: N802
    """A `memray.Tracker` that records to a new file."""
    package = f"{_site()}/{_PACKAGE}"
    with open(f"{package}/_version.py") as version:  # noqa: PTH123
        known = version.read().strip() == _VERSION_FILE
    return _alone(path, package) if known else _whole(path)


def _alone(path: str, package: str) -> object:
    absent = [name for name in _STAND_INS if name not in sys.modules]
    sys.modules[_PACKAGE].__path__ = [package]
    try:
        for name in absent:
            sys.modules[name] = made = type(sys)(name)
            made.__dict__.update(_STAND_INS[name])
        from memray._memray import Tracker as Recorder

        # No thread that wakes every 10 ms to note how much is resident: nobody reads that.
        rarely: dict[str, Any] = {"destination": _Destination(path), "memory_interval_ms": 3_600_000}
        return Recorder(**rarely)
    finally:
        for name in absent:
            sys.modules.pop(name, None)


def _whole(path: str) -> object:
    sys.path.remove(os.path.dirname(__file__))  # noqa: PTH120
    del sys.modules[_PACKAGE]
    import memray

    return memray.Tracker(path)


def _site() -> str:
    """The folder that holds the package itself."""
    return next(path for path in sys.path if os.path.exists(f"{path}/{_PACKAGE}/__init__.py"))  # noqa: PTH110
