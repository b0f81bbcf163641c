"""Gauge `heap`: the live bytes that ncnn asked for, exact, from a recording made in the child."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ncnn_peakmem.measurement import Caveat, Metric, Outcome, OutcomeKind, Phase, Reading
from ncnn_peakmem.network import Loops
from ncnn_peakmem.probe.heap_trace import Stretch, stretches
from ncnn_peakmem.probe.job import TRACE, Job
from ncnn_peakmem.probe.launcher import Child, Conditions, ProbeEnded
from ncnn_peakmem.probe.plateau import Plateau


def read(job: Job, loops: Loops, conditions: Conditions, *, loops_hint: int = 0) -> Reading:
    """One probe of `job` with gauge `heap`.

    The recording is read when the child has ended, so the loops are chosen beforehand: `loops_hint` (what
    another gauge needed) spares the second child that is run where the first one turns out too short.
    """
    count = max(loops.needed(0), loops_hint)
    while True:
        reading = _read(job, count, loops, conditions)
        needed = loops.needed(reading.settled_at)
        if not reading.outcome.ok or needed <= count:
            return reading
        count = needed


def _read(job: Job, count: int, loops: Loops, conditions: Conditions) -> Reading:
    commands = _commands(count)
    caveats: list[Caveat] = []
    try:
        with Child(job, conditions, traced=True) as child:
            outcome = _carry_out(child, commands)
            recorded = list(stretches(child.folder / TRACE))
    except ProbeEnded as ended:
        outcome, recorded = ended.outcome, []
    if outcome.ok and len(recorded) < len(commands):
        command, phase = commands[len(recorded)]
        outcome = Outcome(OutcomeKind.FAILED, f"the recording of the heap broke off before {command}", phase)
    phases, plateau = _by_phase(commands, recorded)
    if outcome.ok and loops.growing(plateau.loops, plateau.settled_at):
        caveats.append(Caveat.STILL_GROWING)
    return Reading(outcome, phases, plateau.loops, plateau.settled_at, tuple(caveats))


def _carry_out(child: Child, commands: Sequence[tuple[str, Phase]]) -> Outcome:
    """Command the child until it is done or refuses, and let it finish its recording in both cases."""
    outcome = Outcome(OutcomeKind.OK)
    for command, phase in [*commands, ("exit", Phase.UNLOAD)]:
        if outcome.ok or command == "exit":
            try:
                child.command(command, phase)
            except ProbeEnded as ended:
                outcome = ended.outcome if outcome.ok else outcome
    return outcome


def _commands(count: int) -> list[tuple[str, Phase]]:
    """The child's life with `count` inferences: each command with the phase that it belongs to."""
    return [
        ("import", Phase.IMPORT),
        ("load_param", Phase.LOAD_PARAM),
        ("load_model", Phase.LOAD_MODEL),
        ("prepare_input", Phase.FIRST),
        ("infer", Phase.FIRST),
        *[("infer", Phase.STEADY)] * (count - 1),
        ("unload", Phase.UNLOAD),
    ]


def _by_phase(
    commands: Sequence[tuple[str, Phase]], recorded: Sequence[Stretch]
) -> tuple[Mapping[Phase, Mapping[Metric, int]], Plateau]:
    """The recorded stretches, one per command from the first on, gathered by phase."""
    phases: dict[Phase, dict[Metric, int]] = {}
    plateau = Plateau()
    unfinished = {phase for _, phase in commands[len(recorded) :]}
    for (command, phase), stretch in zip(commands, recorded, strict=False):
        if phase in unfinished:
            break
        before = phases.get(phase, {Metric.PEAK: 0})
        phases[phase] = {Metric.PEAK: max(before[Metric.PEAK], stretch.peak), Metric.LIVE: stretch.live}
        if command == "infer":
            plateau.look(stretch.peak, stretch.live)
    return phases, plateau
