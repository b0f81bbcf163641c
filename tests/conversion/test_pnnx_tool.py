from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from ncnn_peakmem.conversion import pnnx


def test_the_pinned_version_is_the_one_in_pyproject() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["dependency-groups"]["convert"] == [f"pnnx=={pnnx.PINNED_VERSION}"]


def test_the_binary_is_found_without_importing_its_package() -> None:
    script = """
import sys
from ncnn_peakmem.conversion import pnnx
print(pnnx.binary())
sys.exit(bool({"pnnx", "torch", "onnx", "ncnn"} & set(sys.modules)))
"""
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    with Path(told.stdout.strip()).open("rb") as binary:
        assert binary.read(4) == b"\x7fELF"


def test_without_the_package_there_is_no_binary_but_the_pinned_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    assert pnnx.binary() is None
    assert pnnx.version() == pnnx.PINNED_VERSION


def test_a_command_asks_for_fp32_and_only_for_the_ncnn_files() -> None:
    command = pnnx.command(
        Path("/bin/pnnx"), "net.onnx", [(1, 3, 8, 8), (1, 4)], "net.param", "net.bin", "net.py"
    )
    assert command == [
        "/bin/pnnx",
        "net.onnx",
        "inputshape=[1,3,8,8],[1,4]",
        "fp16=0",
        "ncnnparam=net.param",
        "ncnnbin=net.bin",
        "ncnnpy=net.py",
        *(f"{name}=/dev/null" for name in ("pnnxparam", "pnnxbin", "pnnxpy", "pnnxonnx")),
    ]


def test_the_ends_of_a_network_are_read_from_what_pnnx_wrote() -> None:
    script = """
            ex.input("in0", ncnn.Mat(in0.numpy(), batch_index=0).clone())
            ex.input("in1", ncnn.Mat(in1.numpy(), batch_index=233).clone())

            _, out0 = ex.extract("out0")
            out.append(torch.from_numpy(out0.numpy(batch_index=0)))
            _, out1 = ex.extract("out1")
    """
    assert pnnx.ends(script) == pnnx.Ends({"in0": 0, "in1": None}, ("out0", "out1"))
