"""What tests of several rooms share: a small real network, and a ncnn that holds more than it should."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from ncnn_peakmem import param_file, runtimes
from ncnn_peakmem.measurement import Phase
from ncnn_peakmem.network import InputBlob, ModelFiles
from ncnn_peakmem.reliability import injection
from ncnn_peakmem.runtimes import Runtime

SMALL_PARAM = """\
7767517
6 6
Input            data     0 1 data 0=32 1=32 2=3
Convolution      conv1    1 1 data conv1 0=16 1=3 4=1 5=1 6=432 9=1
Convolution      conv2    1 1 conv1 conv2 0=32 1=3 3=2 4=1 5=1 6=4608 9=1
Convolution      conv3    1 1 conv2 conv3 0=32 1=1 5=1 6=1024 9=1
InnerProduct     fc       1 1 conv3 fc 0=10 1=1 2=81920
Softmax          output   1 1 fc output
"""
"""A network of a few layers that ncnn runs in a millisecond; its weights are read as zeros."""

HOLDING_IN_A_LAYER = """
import ctypes
address = ctypes.pythonapi.PyCapsule_GetPointer
address.restype, address.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]

class Reader(real.DataReader):
    def __init__(self, net):
        super().__init__()
        self.net, self.reads = net, 0

    def read(self, buffer, size):
        if size == {weights_bytes}:
            self.net.held = real.Mat({held_bytes} // 4)
        elif {passing}:
            self.net.held = None
        ctypes.memset(address(buffer, None), 0, size)
        return size

class Net(real.Net):
    def load_model(self, source):
        return super().load_model(Reader(self))

    def clear(self):
        self.held = None
        super().clear()
"""
"""Makes of a wrapped ncnn one that takes more while it reads the weights of one layer."""


@pytest.fixture
def small_param(tmp_path: Path) -> Path:
    """The `.param` of the small network."""
    path = tmp_path / "small.param"
    path.write_text(SMALL_PARAM)
    return path


@pytest.fixture
def small_model(small_param: Path) -> ModelFiles:
    """The small network as a probe takes it, with zero weights."""
    assert param_file.read(small_param).outputs() == ("output",)
    return ModelFiles(small_param, None, (InputBlob("data", (3, 32, 32)),), ("output",), "small")


@pytest.fixture
def stand_in(tmp_path: Path) -> Callable[..., Runtime]:
    """A folder with a package that wraps the installed ncnn and holds `held_bytes` more from `phase` on."""

    def make(phase: str = "", held_bytes: int = 0) -> Runtime:
        made = injection.holding(runtimes.installed(), Phase(phase) if phase else None, held_bytes, tmp_path)
        return runtimes.from_directory(made.module.parents[1])

    return make


@pytest.fixture
def holding(tmp_path: Path) -> Callable[..., Runtime]:
    """A ncnn that takes 256 KiB more while it reads the weights of one layer, for good or in passing."""

    def make(weights_bytes: int, *, passing: bool = False) -> Runtime:
        body = HOLDING_IN_A_LAYER.format(weights_bytes=weights_bytes, held_bytes=1 << 18, passing=passing)
        made = injection.standing_in(runtimes.installed(), body, tmp_path)
        return runtimes.from_directory(made.module.parents[1])

    return make


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Ctrl-C reaches what tests start: a shell has it ignored by all that it runs in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
