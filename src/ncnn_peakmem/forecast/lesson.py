"""Learning: networks are traced on a ncnn build, and their layers' recipes are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ncnn_peakmem import param_file
from ncnn_peakmem.forecast.learned import Learned
from ncnn_peakmem.forecast.learning import load_recipes, run_recipes
from ncnn_peakmem.forecast.setting import Setting
from ncnn_peakmem.graph.graph import build
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.probe import Conditions, Job
from ncnn_peakmem.probe.layer_trace import trace

# A layer does the same in every loop; the second one finds pools that have blocks.
_LOOPS = 2


def teach(learned: Learned, name: str, job: Job, machine: MachineClass, conditions: Conditions) -> Learned:
    """Run `job` in steps, with one thread, and add what its layers take; `name` is the network's.

    `ProbeEnded` where it does not run, `learning.NotLearned` where it does not run in steps.
    """
    setting = Setting(machine, learned.release, job.flags)
    network = param_file.read(job.model.param)
    graph = build(network, job.model.inputs, job.model.outputs)
    traced = trace(replace(job, threads=1), _LOOPS, conditions)
    return learned.with_network(
        name, load_recipes(traced, network, setting), run_recipes(traced, graph, network, setting)
    )


def variants(flags: Mapping[str, bool]) -> tuple[dict[str, bool], ...]:
    """The flags with both values of those that change recipes of ordinary networks, unless they are given."""
    found: list[dict[str, bool]] = [dict(flags)]
    for name in ("lightmode", "use_fp16_storage"):
        if name not in flags:
            found = [{**one, name: value} for one in found for value in (True, False)]
    return tuple(found)
