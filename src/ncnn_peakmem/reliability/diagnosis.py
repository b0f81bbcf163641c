"""All that an examination of a machine brought to light."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.reliability.cost import Cost
from ncnn_peakmem.reliability.finding import Finding, State
from ncnn_peakmem.reliability.machine_facts import MachineFact
from ncnn_peakmem.reliability.repetition import Spread
from ncnn_peakmem.reliability.resolution import Resolution


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A ncnn build on a machine: its controls, noise, resolution and cost.

    `repeats` is the number of identical probes behind each spread, `tolerances` names whose they are.
    """

    ncnn: str
    machine: MachineClass
    facts: tuple[MachineFact, ...]
    findings: tuple[Finding, ...]
    repeats: int
    tolerances: str
    spreads: tuple[Spread, ...]
    resolutions: tuple[Resolution, ...]
    costs: tuple[Cost, ...]

    @property
    def states(self) -> Iterator[State]:
        """The state of everything that has one."""
        yield from (finding.state for finding in self.findings)
        yield from (spread.state for spread in self.spreads)
        yield from (resolution.state for resolution in self.resolutions)

    @property
    def state(self) -> State:
        """The worst of all states."""
        return max(self.states, key=lambda state: state.severity)

    @property
    def trusted(self) -> bool:
        """Whether figures of this machine can be trusted as documented."""
        return self.state.trusted
