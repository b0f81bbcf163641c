"""A machine class that is the same wherever the tests run, the nine networks' graphs, and some recipes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from packaging.version import Version

from ncnn_peakmem.forecast import Learned, Setting
from ncnn_peakmem.forecast.recipe import LoadRecipe, RunRecipe
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.network import InputBlob, ModelFiles

GRAPHS = Path(__file__).with_name("graphs")
NEWEST, OLDEST = Version("1.0.20261020"), Version("1.0.20221128")
LEARNED_ON = "linux-x86_64-avx512.avx2-l2.1024k-cores.2"


def learned(machine: str = LEARNED_ON, release: Version = NEWEST) -> Learned:
    """Two recipes of loading and two of running, which two networks taught."""
    load, run = LoadRecipe.parse("r132 | p260 -0"), RunRecipe.parse("b20 .")
    one = Learned(machine, release).with_network("one", {"a": load, "b": load}, {"c": run})
    return one.with_network("two", {"b": load}, {"d": run})


@pytest.fixture
def machine_class() -> MachineClass:
    """One with AVX-512 and 1 MiB of cache a core."""
    return MachineClass("x86_64", ("avx512", "avx2", "f16c"), 1 << 20, 2, 4096, "glibc2.36")


@pytest.fixture
def light(machine_class: MachineClass) -> Setting:
    """The newest release as it comes."""
    return Setting(machine_class, NEWEST)


@pytest.fixture
def heavy(machine_class: MachineClass) -> Setting:
    """The same without light mode."""
    return Setting(machine_class, NEWEST, {"lightmode": False})


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelFiles]:
    """The built-in networks as they were converted for the baselines, each weights of the same length."""
    folder = tmp_path_factory.mktemp("weights")
    made: dict[str, ModelFiles] = {}
    for name, size in json.loads((GRAPHS / "weight_bytes.json").read_text()).items():
        weights = folder / f"{name}.bin"
        with weights.open("wb") as file:
            file.truncate(size)
        inputs = (InputBlob("in0", (3, 224, 224)),)
        made[name] = ModelFiles(GRAPHS / f"{name}.param", weights, inputs, ("out0",), "")
    return made
