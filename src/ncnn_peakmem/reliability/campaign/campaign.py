"""Carries a plan out: probes, judges, and writes each answer down before the next is asked for."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from ncnn_peakmem.baselines import in_words, judge
from ncnn_peakmem.case import Case, Precision
from ncnn_peakmem.catalog import Catalog
from ncnn_peakmem.conversion import Cache, convert
from ncnn_peakmem.measurement import Measurement
from ncnn_peakmem.network import Loops, ModelFiles
from ncnn_peakmem.owned_folder import ScratchFolder
from ncnn_peakmem.probe import Conditions
from ncnn_peakmem.reliability import injection
from ncnn_peakmem.reliability.campaign.data_file import CampaignError, DataFile, Record
from ncnn_peakmem.reliability.campaign.load import Load, load
from ncnn_peakmem.reliability.campaign.plan import Block, Plan, Task
from ncnn_peakmem.reliability.campaign.trial import (
    Anchor,
    Part,
    Setting,
    Subject,
    Trial,
    judged_figures,
    moved_figures,
)
from ncnn_peakmem.run import read_gauges
from ncnn_peakmem.runtimes import Runtime

LOOPS = Loops(minimum=4, maximum=12)
"""Enough to see every phase: how long the peak takes to settle is not what is asked."""

Progress = Callable[[int, int, str], None]
"""Hears how many probes are judged, of how many in all, and what is going on."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """Judges what `plan` asks for by the gate's own probe and judge, and adds it to `data`.

    What `data` has already is not asked again, so that an interrupted campaign goes on where it stopped.
    """

    plan: Plan
    data: DataFile
    setting: Setting
    catalog: Catalog
    runtime: Runtime
    conditions: Conditions
    cache: Cache
    progress: Progress = lambda *_: None
    _models: dict[tuple[str, Precision], ModelFiles] = field(default_factory=dict)

    def run(self) -> Record:
        """Go on to the end; all that the data file then holds.

        Raises `CampaignError`, `ConversionError`, or what is wrong with the runtime.
        """
        with (
            self.data.growing(self.setting) as before,
            ScratchFolder() as scratch,
        ):
            anchors = dict(before.anchors)
            planned = {task.key for block in self.plan.blocks for task in block.tasks}
            done = {trial.key for trial in before.trials} & planned
            if self.plan.repeats:
                self._anchor_identical(anchors, done, scratch.path)
            for block in self.plan.blocks:
                self._judge_block(block, anchors, done, scratch.path)
        found = self.data.read()
        assert found is not None
        return found

    def _anchor_identical(
        self, anchors: dict[Subject, Anchor], done: set[tuple[object, ...]], folder: Path
    ) -> None:
        """Take all first readings while the machine is left alone."""
        for case in self.plan.identical:
            for gauge in self.plan.gauges:
                self.progress(len(done), self.plan.count, "first readings")
                self._anchored(Task(Part.IDENTICAL, case, gauge), anchors, folder)

    def _judge_block(
        self, block: Block, anchors: dict[Subject, Anchor], done: set[tuple[object, ...]], folder: Path
    ) -> None:
        tasks = [task for task in block.tasks if task.key not in done]
        if not tasks:
            return
        with load() if block.loaded else nullcontext(Load()) as busy:
            for task in tasks:
                self.progress(len(done), self.plan.count, block.title)
                trial = self._judged(task, self._anchored(task, anchors, folder), folder)
                busy.check()
                self.data.add(trial)
                done.add(trial.key)

    def _anchored(self, task: Task, anchors: dict[Subject, Anchor], folder: Path) -> Anchor:
        """The first reading of what the task is about, taken now where there is none yet."""
        tolerance = self.catalog.tolerances(task.case.network, task.case.threads)[task.gauge].same_release
        known = anchors.get(task.subject)
        if known is not None:
            if known.model != self._model(task.case).digest:
                raise CampaignError(
                    f"{self.data.path}: the converted model of {task.case.network} is another one by now "
                    "(another pnnx, builder or file): name a new file"
                )
            if known.tolerance != tolerance:
                raise CampaignError(
                    f"{self.data.path}: the tolerance of {task.case.id} with {task.gauge} is "
                    "another one by now than its probes were judged by: name a new file, or set it as it was"
                )
            return known
        load_average = os.getloadavg()[0]
        measured = self._measure(task, self._build(task, folder, held_bytes=0))
        reading = measured.readings[task.gauge]
        if not reading.outcome.ok:
            raise CampaignError(
                f"{task.case.id} cannot be measured: {task.gauge} {in_words(reading.outcome)}"
            )
        anchor = Anchor(
            part=task.part,
            case=task.case.id,
            gauge=task.gauge,
            threads=task.case.threads,
            model=measured.model,
            tolerance=tolerance,
            figures=judged_figures(task.gauge, reading),
            loops=reading.loops,
            settled_at=reading.settled_at,
            load_average=load_average,
            caveats=reading.caveats,
        )
        self.data.add(anchor)
        anchors[task.subject] = anchor
        return anchor

    def _judged(self, task: Task, anchor: Anchor, folder: Path) -> Trial:
        load_average = os.getloadavg()[0]
        build = self._build(task, folder, held_bytes=task.held_bytes)
        begin = time.monotonic()
        measured = self._measure(task, build)
        seconds = time.monotonic() - begin
        verdict = judge(measured, anchor.baseline, anchor.tolerances, same_release=True)
        return Trial(
            part=task.part,
            case=task.case.id,
            gauge=task.gauge,
            verdict=verdict.kind,
            seconds=round(seconds, 3),
            load_average=load_average,
            moved=moved_figures(judged_figures(task.gauge, measured.readings[task.gauge]), anchor.figures),
            loaded=task.loaded,
            number=task.number,
            phase=task.phase,
            held_bytes=task.held_bytes,
            reason=verdict.reason,
        )

    def _measure(self, task: Task, build: Runtime) -> Measurement:
        model = self._model(task.case)
        loops = self.setting.loops
        readings = read_gauges([task.gauge], build, task.case, model, loops, self.conditions)
        return Measurement(task.case.id, model.digest, readings)

    def _build(self, task: Task, folder: Path, *, held_bytes: int) -> Runtime:
        """What is measured: the runtime itself, or one that wraps it and holds more."""
        if task.part is Part.IDENTICAL:
            return self.runtime
        return injection.holding(self.runtime, task.phase if held_bytes else None, held_bytes, folder)

    def _model(self, case: Case) -> ModelFiles:
        key = (case.network, case.precision)
        if key not in self._models:
            network = self.catalog.network(case.network)
            self._models[key] = convert(
                network,
                self.cache,
                lambda _: None,
                precision=case.precision,
                release=self.runtime.release,
            )
        return self._models[key]
