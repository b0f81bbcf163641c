"""What tests of several rooms share: a small real network, and a ncnn that holds more than it should."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from ncnn_peakmem import param_file, runtimes
from ncnn_peakmem.network import InputBlob, ModelFiles
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

STAND_IN = """\
import importlib.machinery, importlib.util
loader = importlib.machinery.ExtensionFileLoader("ncnn", {module!r})
real = importlib.util.module_from_spec(importlib.util.spec_from_loader("ncnn", loader))
loader.exec_module(real)
globals().update(vars(real))
__version__ = {version!r}

def hold(net):
    # A pooled Mat would go back to its pool: this one is the holder's own until the net is unloaded.
    net.held = real.Mat({bytes} // 4)
    net.held.fill(1.0)

class Net(real.Net):
    extractors = 0

    def load_param(self, path):
        code = super().load_param(path)
        if {phase!r} == "load_param":
            hold(self)
        return code

    def load_model(self, source):
        code = super().load_model(source)
        if {phase!r} == "load_model":
            hold(self)
        return code

    def create_extractor(self):
        self.extractors += 1
        if (self.extractors, {phase!r}) in {{(1, "first"), (2, "steady")}}:
            hold(self)
        return super().create_extractor()

    def clear(self):
        self.held = None
        super().clear()
"""


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
"""To follow the head of STAND_IN: a ncnn that takes more while it reads the weights of one layer."""


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
    """A folder with a package that wraps the installed ncnn and holds `bytes` more from `phase` on."""

    def make(phase: str = "", held_bytes: int = 0) -> Runtime:
        real = runtimes.installed()
        package = tmp_path / f"stand-in-{phase}-{held_bytes}" / "ncnn"
        package.mkdir(parents=True)
        source = STAND_IN.format(
            module=str(real.module), version=real.version, phase=str(phase), bytes=held_bytes
        )
        (package / "ncnn.py").write_text(source)
        return runtimes.from_directory(package.parent)

    return make


@pytest.fixture
def holding(tmp_path: Path) -> Callable[..., Runtime]:
    """A ncnn that takes 256 KiB more while it reads the weights of one layer, for good or in passing."""

    def make(weights_bytes: int, *, passing: bool = False) -> Runtime:
        real = runtimes.installed()
        package = tmp_path / f"holding-{weights_bytes}-{passing}" / "ncnn"
        package.mkdir(parents=True)
        head = STAND_IN.partition("\ndef hold")[0].format(module=str(real.module), version=real.version)
        body = HOLDING_IN_A_LAYER.format(weights_bytes=weights_bytes, held_bytes=1 << 18, passing=passing)
        (package / "ncnn.py").write_text(head + body)
        return runtimes.from_directory(package.parent)

    return make


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Ctrl-C reaches what tests start: a shell has it ignored by all that it runs in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
