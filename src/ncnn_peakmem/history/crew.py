"""A crew: processes that measure side by side, each on a CPU of its own. None outlives its parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ncnn_peakmem.case import Case
from ncnn_peakmem.measurement import Gauge, Measurement
from ncnn_peakmem.network import Loops, ModelFiles
from ncnn_peakmem.parent_death import die_with_parent
from ncnn_peakmem.probe import Conditions
from ncnn_peakmem.run import read_gauges, without_model
from ncnn_peakmem.runtimes import Runtime


class CrewLost(RuntimeError):
    """A measuring process died; the text says over what."""


@dataclass(frozen=True, slots=True)
class Errand:
    """A case to measure with `gauges`. Where there is no model, `model` says why.

    `loops_seen` is how many gauge `pages` needed if it has read the case earlier.
    """

    case: Case
    model: ModelFiles | str
    loops: Loops
    gauges: frozenset[Gauge]
    loops_seen: int = 0

    def run(self, runtime: Runtime, conditions: Conditions) -> Measurement:
        """Probe the case once with each gauge."""
        if isinstance(self.model, str):
            return without_model(self.case, self.gauges, self.model)
        readings = read_gauges(
            *(self.gauges, runtime, self.case, self.model, self.loops, conditions), loops_seen=self.loops_seen
        )
        return Measurement(self.case.id, self.model.digest, readings)


Assignment = tuple[Runtime, Errand]
"""An errand, and the runtime to run it on."""


def carry_out(
    assignments: Iterable[Assignment], conditions: Conditions, workers: int
) -> Generator[tuple[Assignment, Measurement]]:
    """Each assignment with its measurement, as they finish; one is drawn whenever a CPU is free.

    A single worker is this process itself. What has finished is handed out before an interruption or
    `CrewLost` goes on its way.
    """
    cpus = sorted(os.sched_getaffinity(0))
    if workers == 1:
        pinned = replace(conditions, cpu=cpus[0])
        for runtime, errand in assignments:
            yield (runtime, errand), errand.run(runtime, pinned)
        return
    free = [replace(conditions, cpu=cpus[number % len(cpus)]) for number in range(workers)]
    running: dict[Future[Measurement], tuple[Assignment, Conditions]] = {}
    with _pool(workers) as pool:
        try:
            draw = iter(assignments)
            while True:
                while free and (drawn := next(draw, None)) is not None:
                    runtime, errand = drawn
                    with _interruption_held():
                        future = pool.submit(errand.run, runtime, free[-1])
                    running[future] = (drawn, free.pop())
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    measurement = future.result()
                    assignment, place = running.pop(future)
                    free.append(place)
                    yield assignment, measurement
        except (KeyboardInterrupt, BrokenProcessPool) as end:
            for future, (assignment, _) in [*running.items()]:
                if future.done() and future.exception() is None:
                    del running[future]
                    yield assignment, future.result()
            if isinstance(end, BrokenProcessPool):
                raise CrewLost(_loss([assignment for assignment, _ in running.values()])) from end
            raise


def _loss(lost: Iterable[Assignment]) -> str:
    cases = ", ".join(f"{errand.case.id} on ncnn {runtime.version}" for runtime, errand in lost)
    over = f" while measuring {cases}" if cases else ""
    return f"a measuring process died{over}; the kernel kills one so when memory runs out"


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """A pool whose processes are killed, not waited for, when its context ends early."""
    others = {*multiprocessing.active_children()}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_die_with, initargs=(os.getpid(),)
    ) as pool:
        try:
            yield pool
        except BaseException:
            for process in {*multiprocessing.active_children()} - others:
                process.kill()
            raise


def _die_with(parent: int) -> None:
    """Have the kernel kill this process once its parent is gone, however the parent went."""
    die_with_parent()
    if os.getppid() != parent:
        # It went before the kernel was told.
        os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def _interruption_held() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back: a process begun meanwhile never sees them, its parent answers them."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
