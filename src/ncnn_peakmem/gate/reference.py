"""What a case is judged against: a stored baseline, or another build that is measured in the same run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from packaging.version import Version

from ncnn_peakmem.baselines import BaselineStore
from ncnn_peakmem.case import Case
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import Measurement, MeasurementSet
from ncnn_peakmem.network import Network
from ncnn_peakmem.run import Run
from ncnn_peakmem.runtimes import Runtime


@dataclass(frozen=True, slots=True)
class Found:
    """The figures that a case is judged against. `same_build` holds where no difference is to be expected.

    `runtime` is the build that they are of, None for stored ones: then it is the release `ncnn`.
    """

    measurement: Measurement
    ncnn: str
    same_build: bool
    runtime: Runtime | None = None


class Reference(Protocol):
    """Finds the figures that a case is judged against."""

    @property
    def note(self) -> str:
        """Where the figures are from if not from a file."""
        ...

    @property
    def missing(self) -> str:
        """Why a case has none where it has none."""
        ...

    def find(self, case: Case) -> Found | None:
        """The figures for a case, or None."""
        ...


@dataclass(frozen=True)
class Stored:
    """The baselines of a machine class: each case's newest one that is not newer than `version`."""

    store: BaselineStore
    machine: MachineClass
    version: Version

    note = ""

    @cached_property
    def versions(self) -> tuple[Version, ...]:
        """The versions that apply, newest first."""
        return tuple(v for v in reversed(self.store.versions(self.machine)) if v <= self.version)

    @cached_property
    def newest(self) -> MeasurementSet | None:
        """The file that most cases are judged against."""
        return next(self._newest_first(), None)

    @property
    def newest_file(self) -> Path | None:
        """Where that file is."""
        return self.store.path(self.machine, Version(self.newest.ncnn)) if self.newest else None

    @property
    def missing(self) -> str:
        """Why a case has no baseline."""
        if self.versions:
            return "no baseline"
        oldest = self.store.versions(self.machine)[:1]
        known = f" (the oldest is {oldest[0]})" if oldest else ""
        return f"no baseline of ncnn {self.version} or older{known}"

    def find(self, case: Case) -> Found | None:
        """The case's newest figures: a newer file that lacks it does not hide an older one that has it."""
        for stored in self._newest_first():
            if case.id in stored.cases:
                same = Version(stored.ncnn) == self.version
                return Found(stored.cases[case.id], stored.ncnn, same)
        return None

    def _newest_first(self) -> Iterator[MeasurementSet]:
        for version in self.versions:
            if version not in self._read:
                self._read[version] = self.store.load(self.machine, version)
            yield self._read[version]

    @cached_property
    def _read(self) -> dict[Version, MeasurementSet]:
        """The files read so far."""
        return {}


@dataclass(frozen=True, slots=True)
class Measured:
    """Another build, measured case by case in a run of its own. `same_build`: it is the build under test."""

    run: Run
    networks: Mapping[str, Network]
    same_build: bool
    note: str

    missing = "no baseline"

    def find(self, case: Case) -> Found | None:
        """The case's figures on the other build, measured now unless that is done."""
        runtime = self.run.runtime
        measured = self.run.measure(case, self.networks[case.network])
        return Found(measured, runtime.title, self.same_build, runtime)


@dataclass(frozen=True, slots=True)
class Nothing:
    """There is nothing to judge against; `missing` says why."""

    missing: str

    note = ""

    def find(self, case: Case) -> Found | None:  # noqa: ARG002
        """No figures."""
        return None
