"""tox environments by the name of a release: `tox -e ncnn20240820` runs the gate on ncnn 1.0.20240820."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from tox.config.loader.memory import MemoryLoader
from tox.config.sets import ConfigSet
from tox.plugin import impl
from tox.session.state import State


@impl
def tox_extend_envs() -> Iterable[str]:
    """Every release that the command line, TOXENV or tox.ini names: there is no list of them all."""
    named = [*sys.argv, os.environ.get("TOXENV", ""), Path(__file__).with_name("tox.ini").read_text()]
    return sorted({*re.findall(r"\bncnn\d{8}\b", " ".join(named))})


@impl
def tox_add_core_config(core_conf: ConfigSet, state: State) -> None:  # noqa: ARG001
    """Each of them is the environment `gate` on its release."""
    for name in tox_extend_envs():
        release = name.removeprefix("ncnn")
        loader = MemoryLoader(
            base=["testenv:gate"],
            description=f"the gate on ncnn 1.0.{release}",
            # A history has the exact gauges only.
            set_env=f"PYTEST_ADDOPTS=--peakmem-ncnn={release} --peakmem-gauges=heap,pages",
        )
        state.conf.memory_seed_loaders[name].append(loader)
