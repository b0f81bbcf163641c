"""What a campaign measures, and in which order."""

from __future__ import annotations

from dataclasses import replace

from ncnn_peakmem.case import Case, Precision
from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.reliability.campaign import Part, Plan


def test_half_of_the_identical_probes_are_loaded_and_no_probe_is_planned_twice() -> None:
    case = Case("small", Precision.FP32, ())
    plan = Plan((case, replace(case, threads=2)), (case,), repeats=3)

    blocks = list(plan.blocks)

    tasks = [task for block in blocks for task in block.tasks]
    identical = [task for task in tasks if task.part is Part.IDENTICAL]
    assert len(identical) == 2 * 3 * len(Gauge) * 2
    assert sum(task.loaded for task in identical) == len(identical) // 2
    assert all(task.loaded is block.loaded for block in blocks for task in block.tasks)
    assert [block.loaded for block in blocks] == [False, True] * 3 + [False]
    assert len({task.key for task in tasks}) == len(tasks) == plan.count
    held = {task.held_bytes for task in tasks if task.gauge is Gauge.HEAP and task.part is Part.INJECTED}
    assert held == {512 << doubling for doubling in range(12)}
    assert max(held) == 1 << 20


def test_slow_cases_come_every_third_round_and_half_of_them_loaded() -> None:
    quick, slow = Case("quick", Precision.FP32, ()), Case("slow", Precision.FP32, ())
    plan = Plan((quick, slow), (), repeats=6, seldom=frozenset({slow.id}), gauges=(Gauge.HEAP,))

    tasks = [task for block in plan.blocks for task in block.tasks]

    assert sum(task.case is quick for task in tasks) == 12
    assert [(task.number, task.loaded) for task in tasks if task.case is slow] == [
        (1, False),
        (1, True),
        (4, False),
        (4, True),
    ]
