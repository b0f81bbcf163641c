"""Traces a network layer by layer: one child runs it as ever, then once more in steps."""

from __future__ import annotations

import array
import marshal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from memray import AllocatorType

from ncnn_peakmem.measurement import Outcome, OutcomeKind, Phase
from ncnn_peakmem.network import Shape
from ncnn_peakmem.probe import heap_trace
from ncnn_peakmem.probe.job import TRACE, Job
from ncnn_peakmem.probe.launcher import Child, Conditions, ProbeEnded
from ncnn_peakmem.probe.layer_events import (
    Asked,
    BlobSize,
    Entered,
    Event,
    Extracted,
    Freed,
    GivenBack,
    LayerTrace,
    Loaded,
    Pool,
    Stretch,
    Taken,
)

# What stepping_ncnn.py writes, which can only be imported in the child.
_STEPPING = Path(__file__).with_name("stepping_ncnn.py")
_MARK_BYTES = 11
_MARKING_LAYER = "PeakmemMark"
_LOADED, _ENTERED, _EXTRACTED, _BLOB, _WORKSPACE = range(1, 6)
_POOLS = {_BLOB: Pool.BLOB, _WORKSPACE: Pool.WORKSPACE}
_PARAM, _LOG, _SHAPES = "marked.param", "steps", "shapes"

_Command = tuple[str, Phase, int | None]


def trace(job: Job, loops: int, conditions: Conditions) -> LayerTrace:
    """Run `job` with `loops` inferences both ways, with one thread.

    `ProbeEnded` where it does not even run as ever, or is not recorded; where only the steps fail, hang or
    are not recorded, the trace tells why.
    """
    stepping = replace(job, runtime=replace(job.runtime, module=_STEPPING), threads=1)
    commands = _commands(loops)
    trouble = ""
    with Child(stepping, conditions, traced=True) as child:
        _lay(job, child.folder)
        child.command("import", Phase.IMPORT)
        for command, phase, _ in commands:
            child.command(command, phase)
        try:
            for command, phase, _ in commands:
                child.command(command, phase)
            child.command("exit", Phase.UNLOAD)
        except ProbeEnded as ended:
            trouble = f"{ended.outcome.kind} in {command}: {ended.outcome.cause}"
            _let_go(child)
        stretches = list(_stretches(child.folder))[1:]
        sizes = _sizes(child.folder / _SHAPES)
    planned = [*commands, *commands]
    if len(stretches) < len(commands):
        command, phase, _ = planned[len(stretches)]
        raise ProbeEnded(Outcome(OutcomeKind.FAILED, _broken_off(command), phase))
    if len(stretches) < len(planned) and not trouble:
        trouble = f"{OutcomeKind.FAILED}: {_broken_off(planned[len(stretches)][0])}"
    told = [
        Stretch(command, phase, loop, events)
        for (command, phase, loop), events in zip(planned, stretches, strict=False)
    ]
    return LayerTrace(tuple(told[: len(commands)]), tuple(told[len(commands) :]), sizes, trouble)


def _broken_off(command: str) -> str:
    return f"the recording of the heap broke off before {command}"


def _commands(loops: int) -> list[_Command]:
    return [
        ("load_param", Phase.LOAD_PARAM, None),
        ("load_model", Phase.LOAD_MODEL, None),
        ("prepare_input", Phase.FIRST, None),
        *(("infer", Phase.STEADY if loop else Phase.FIRST, loop) for loop in range(loops)),
        ("unload", Phase.UNLOAD, None),
    ]


def _lay(job: Job, folder: Path) -> None:
    """Put what `stepping_ncnn` reads into the child's folder, before the child imports it."""
    (folder / "wrapped").symlink_to(job.runtime.module.parent.absolute())
    (folder / _PARAM).write_text(_marked(job.model.param.read_text(encoding="utf-8")), encoding="utf-8")
    told = {
        "module": f"wrapped/{job.runtime.module.name}",
        "param": _PARAM,
        "log": _LOG,
        "shapes": _SHAPES,
    }
    (folder / "stepping").write_bytes(marshal.dumps(told))


def _marked(param: str) -> str:
    """A `.param` with a marking layer after each of its layers."""
    magic, counts, *layers = (line for line in param.splitlines() if line.strip())
    layer_count, blob_count = counts.split()
    lines = [magic, f"{2 * int(layer_count)} {blob_count}"]
    for number, layer in enumerate(layers):
        lines += [layer, f"{_MARKING_LAYER} peakmem_{number} 0 0"]
    return "\n".join(lines) + "\n"


def _let_go(child: Child) -> None:
    """Have the child finish its recording, if it still lives."""
    try:
        child.command("exit", Phase.UNLOAD)
    except ProbeEnded:
        return


def _stretches(folder: Path) -> Iterator[tuple[Event, ...]]:
    """The events of each command, as far as the recording goes."""
    events: list[Event] = []
    live: set[int] = set()
    noted = _noted(folder / _LOG)
    for record in heap_trace.records(folder / TRACE):
        if record.allocator == AllocatorType.POSIX_MEMALIGN:
            live.add(record.address)
            events.append(Taken(record.address, record.size))
        elif record.allocator == AllocatorType.FREE and record.address in live:
            live.remove(record.address)
            events.append(Freed(record.address))
        elif record.allocator == AllocatorType.MMAP and record.size == heap_trace.MARK_BYTES:
            yield tuple(events)
            events = []
        elif record.allocator == AllocatorType.MMAP and record.size == _MARK_BYTES:
            # The log ends before the recording does where the child was killed.
            events += [event for event in (next(noted, None),) if event is not None]


def _noted(log: Path) -> Iterator[Event]:
    """What the child noted, in order."""
    entries = array.array("q")
    if log.exists():
        entries.frombytes(log.read_bytes())
    for start in range(0, len(entries), 4):
        what, layer, size, address = entries[start : start + 4]
        # In the marked graph every layer is followed by one of ours.
        layer //= 2
        match what:
            case _ if what in _POOLS:
                yield Asked(_POOLS[what], layer, address, size)
            case _ if -what in _POOLS:
                yield GivenBack(_POOLS[-what], address)
            case _ if what == _LOADED:
                yield Loaded(layer)
            case _ if what == _ENTERED:
                yield Entered(layer)
            case _ if what == _EXTRACTED:
                yield Extracted()


def _sizes(shapes: Path) -> dict[int, tuple[BlobSize, ...]]:
    """What each layer made, by its number; empty where the child did not get as far as that."""
    told = marshal.loads(shapes.read_bytes()) if shapes.exists() else {}  # noqa: S302 - our own child's
    return {layer // 2: tuple(_size(*mat) for mat in mats) for layer, mats in told.items()}


def _size(dims: int, w: int, h: int, d: int, c: int, pack: int, elem_bytes: int) -> BlobSize:
    """A Mat, of which the outermost dimension is packed: so many numbers in each element."""
    shape: Shape = {1: (w,), 2: (h, w), 3: (c, h, w), 4: (c, d, h, w)}.get(dims, ())
    return BlobSize((shape[0] * pack, *shape[1:]) if shape else (), w * h * d * c * elem_bytes)
