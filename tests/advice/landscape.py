"""A made-up network: what each setup takes and how long it runs is what a test says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ncnn_peakmem.advice import Advice, Advisor, Goal, Outlook, Setup, Space, Timing
from ncnn_peakmem.case import Case, OptionChoice, Precision
from ncnn_peakmem.catalog import Axis, InId
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import STORED, Gauge, Measurement, Outcome, OutcomeKind, Phase, Reading

MACHINE = MachineClass("x86_64", ("avx512",), 1 << 20, 2, 4096, "glibc2.36")
OK = Outcome(OutcomeKind.OK)
CRASHED = Outcome(OutcomeKind.CRASHED, "SIGSEGV in inference", Phase.FIRST)
MIB = 1 << 20
REFERENCE_NS = 1_000_000


def axis(name: str, always: bool = False, **choices: Mapping[str, bool]) -> Axis:
    """An axis whose first choice is the default."""
    default = next(iter(choices))
    made = {
        label: OptionChoice(name, label, flags, in_id=always or label != default)
        for label, flags in choices.items()
    }
    return Axis(name, made, default, InId.ALWAYS if always else InId.UNLESS_DEFAULT)


AXES = {
    one.name: one
    for one in (
        axis("lightmode", always=True, light={"lightmode": True}, heavy={"lightmode": False}),
        axis(
            "int8",
            always=True,
            q8={"use_int8_storage": True, "use_int8_arithmetic": True},
            plain={"use_int8_storage": False, "use_int8_arithmetic": False},
        ),
        axis(
            "winograd",
            wino={"use_winograd_convolution": True},
            spatial={"use_winograd_convolution": False},
            less43={"use_winograd43_convolution": False},
            only23={"use_winograd43_convolution": False, "use_winograd63_convolution": False},
        ),
        axis("sgemm", gemm={"use_sgemm_convolution": True}, naive={"use_sgemm_convolution": False}),
    )
}


@dataclass(frozen=True)
class Spot:
    """MiB of loading and of inference, the time over the default's, and how a run and its timing end."""

    load: float
    inference: float
    time: float = 1.0
    outcome: Outcome = OK
    spread: float = 0.0
    timed: Outcome = OK


Land = Callable[[Precision, int, frozenset[str]], Spot]
"""What a setup is like, by its precision, its threads and the labels that are no defaults."""


@dataclass
class MadeUp:
    """A bench that measures nothing; `measured` and `timed` are the ids that were asked for."""

    space: Space
    land: Land
    gauge: Gauge = Gauge.HEAP
    measured: list[str] = field(default_factory=list)
    timed: list[str] = field(default_factory=list)

    def spot(self, case: Case) -> Spot:
        defaults = {one.default for one in self.space.axes.values()}
        labels = frozenset(choice.label for choice in case.options) - defaults
        return self.land(case.precision, case.threads, labels)

    def measure(self, case: Case) -> Measurement:
        self.measured.append(case.id)
        spot = self.spot(case)
        figures = {Phase.LOAD_MODEL: spot.load, Phase.STEADY: spot.inference}
        names = STORED[self.gauge]
        phases = {phase: dict(zip(names, (int(mib * MIB), 7), strict=True)) for phase, mib in figures.items()}
        return Measurement(case.id, "digest", {self.gauge: Reading(spot.outcome, phases)})

    def time(self, case: Case, reference: Case) -> Timing:
        self.timed.append(case.id)
        one, spot = self.spot(reference), self.spot(case)
        if not spot.timed.ok:
            return Timing(case.id, reference.id, "digest", spot.timed)
        ratio = spot.time / one.time
        shares = [ratio * (1 + spot.spread * step / 3) for step in range(-3, 4)]
        pairs = tuple((REFERENCE_NS, round(REFERENCE_NS * share)) for share in shares)
        return Timing(case.id, reference.id, "digest", OK, pairs)


def space(
    precisions: Sequence[Precision] = (Precision.FP32,),
    threads: Sequence[int] = (1,),
    axes: Mapping[str, Axis] = AXES,
) -> Space:
    return Space("net", tuple(precisions), tuple(threads), axes, tuple(axes))


def advise(
    land: Land,
    goal: Goal | None = None,
    within: Space | None = None,
    *,
    most: int = 60,
    foretell: Callable[[Setup], Outlook | None] = lambda _: None,
    fresh: Land | None = None,
) -> tuple[Advice, MadeUp]:
    """The advice for a land, and the bench that it was measured on."""
    within = within or space()
    goal = goal or Goal()
    bench = MadeUp(within, land, goal.gauge)
    advisor = Advisor(
        ncnn="1.0.20261020",
        machine=MACHINE,
        space=within,
        goal=goal,
        bench=bench,
        fresh=MadeUp(within, fresh or land, goal.gauge),
        foretell=foretell,
        most=most,
    )
    return advisor.run(), bench


def int8_resnet(precision: Precision, threads: int, labels: frozenset[str]) -> Spot:
    """Loading is large unless int8 winograd weights are kept small, or none are made."""
    load, inference, time = 154.0, 164.0, 1.0
    if labels & {"less43", "only23"}:
        load, inference, time = 36.6, 50.0, 1.03
    if "spatial" in labels:
        load, inference, time = 12.6, 22.0, 1.2
    if "naive" in labels:
        inference, time = inference - 1, time * 1.5
    if "heavy" in labels:
        load, inference = load + 12, inference + 12
    return Spot(load, inference, time)
