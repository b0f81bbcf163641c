"""Gauges `pages` and `deployed`: the process's memory, read by its parent while it waits."""

from __future__ import annotations

from collections.abc import Mapping

from ncnn_peakmem.measurement import Caveat, Gauge, Metric, Outcome, OutcomeKind, Phase, Reading
from ncnn_peakmem.network import Loops
from ncnn_peakmem.probe.controls import PAGE_GRANULAR_MALLOC
from ncnn_peakmem.probe.job import Job
from ncnn_peakmem.probe.launcher import Child, Conditions, ProbeEnded
from ncnn_peakmem.probe.plateau import Plateau
from ncnn_peakmem.probe.process_status import ProcessStatus, reset_vm_hwm


def read(job: Job, gauge: Gauge, loops: Loops, conditions: Conditions) -> Reading:
    """One probe of `job` with gauge `pages` or `deployed`, looped until its peak has settled."""
    phases: dict[Phase, Mapping[Metric, int]] = {}
    caveats: list[Caveat] = []
    plateau = Plateau()
    outcome = Outcome(OutcomeKind.OK)
    tunables = PAGE_GRANULAR_MALLOC if gauge is Gauge.PAGES else None
    try:
        with Child(job, conditions, tunables=tunables) as child:

            def end(phase: Phase) -> None:
                phases[phase] = _metrics(child.status(phase))
                if not reset_vm_hwm(child.pid) and Caveat.NO_PHASE_HWM not in caveats:
                    caveats.append(Caveat.NO_PHASE_HWM)

            def infer(phase: Phase) -> None:
                child.command("infer", phase)
                status = child.status(phase)
                plateau.look(status.vm_peak, status.vm_size)

            child.command("import", Phase.IMPORT)
            caveats += child.caveats()
            end(Phase.IMPORT)
            child.command("load_param", Phase.LOAD_PARAM)
            end(Phase.LOAD_PARAM)
            child.command("load_model", Phase.LOAD_MODEL)
            end(Phase.LOAD_MODEL)
            child.command("prepare_input", Phase.FIRST)
            infer(Phase.FIRST)
            end(Phase.FIRST)
            while plateau.loops < loops.needed(plateau.settled_at):
                infer(Phase.STEADY)
            end(Phase.STEADY)
            child.command("unload", Phase.UNLOAD)
            end(Phase.UNLOAD)
    except ProbeEnded as ended:
        outcome = ended.outcome
    if outcome.ok and loops.growing(plateau.loops, plateau.settled_at):
        caveats.append(Caveat.STILL_GROWING)
    return Reading(outcome, phases, plateau.loops, plateau.settled_at, tuple(caveats))


def _metrics(status: ProcessStatus) -> dict[Metric, int]:
    return {
        Metric.VM_PEAK: status.vm_peak,
        Metric.VM_HWM: status.vm_hwm,
        Metric.VM_RSS: status.vm_rss,
        Metric.RSS_ANON: status.rss_anon,
    }
