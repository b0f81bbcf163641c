"""The tables of the file and the keys of each; how values must fit together is `coherence`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from ncnn_peakmem.case import Precision
from ncnn_peakmem.catalog import field
from ncnn_peakmem.catalog.cover import Cover
from ncnn_peakmem.network import Calibration

_WIDER_SETTING: Any = None
"""Stands for a key left out, where a wider setting holds; a null written out is refused."""
_NO_BUDGET: Any = None
"""Stands for a key left out, likewise."""


class Table(BaseModel):
    """A mapping of the file; `noun` is what its keys are called when one is unknown."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    noun: ClassVar[str] = "key"


class LoopsChange(Table):
    """Some of `Loops`."""

    minimum: field.LoopCount = _WIDER_SETTING
    maximum: field.LoopCount = _WIDER_SETTING
    settle_factor: field.Factor = _WIDER_SETTING


class ToleranceChange(Table):
    """Some of a `Tolerance`."""

    absolute: field.Size = _WIDER_SETTING
    relative: field.Share = _WIDER_SETTING


class ComparisonsChange(Table):
    """Some of a `GaugeTolerance`."""

    noun: ClassVar[str] = "comparison"
    between_releases: ToleranceChange = ToleranceChange()
    same_release: ToleranceChange = ToleranceChange()


class GaugeChange(ComparisonsChange):
    """Some of a `GaugeTolerance`, and what cases with several threads are allowed besides."""

    several_threads: ComparisonsChange = ComparisonsChange()


class TolerancesChange(Table):
    """Some of the `Tolerances`."""

    noun: ClassVar[str] = "gauge"
    heap: GaugeChange = GaugeChange()
    pages: GaugeChange = GaugeChange()
    deployed: GaugeChange = GaugeChange()


class ToleranceEntry(ToleranceChange):
    """All of a `Tolerance`."""

    absolute: field.Size
    relative: field.Share


class GaugeEntry(GaugeChange):
    """All of a `GaugeTolerance`."""

    between_releases: ToleranceEntry
    same_release: ToleranceEntry


class TolerancesEntry(TolerancesChange):
    """All of the `Tolerances`."""

    heap: GaugeEntry
    pages: GaugeEntry
    deployed: GaugeEntry


class CalibrationEntry(Table):
    """A `Calibration`."""

    method: field.Method = Calibration().method
    data: field.Folder = None
    inputs: field.InputCount = Calibration().inputs
    table: field.File = None


class PhasesEntry(Table):
    """The most bytes in each phase."""

    noun: ClassVar[str] = "phase with a budget"
    load_param: field.Size = _NO_BUDGET
    load_model: field.Size = _NO_BUDGET
    first: field.Size = _NO_BUDGET
    steady: field.Size = _NO_BUDGET
    unload: field.Size = _NO_BUDGET


class BudgetEntry(PhasesEntry):
    """A `Budget`: phases, of which those outside of a gauge are `heap`'s."""

    noun: ClassVar[str] = "phase or gauge with a budget"
    heap: PhasesEntry = PhasesEntry()
    pages: PhasesEntry = PhasesEntry()
    deployed: PhasesEntry = PhasesEntry()


class NetworkEntry(Table):
    """A network: where its files come from, and what it wants other than the rest."""

    topology: field.Topology = None
    seed: field.Seed = 0
    onnx: field.File = None
    param: field.File = None
    bin: field.File = None
    input_shapes: field.LabelledShapes = Field(default_factory=list)
    precision: field.Weights = Precision.FP32
    calibration: CalibrationEntry = CalibrationEntry()
    loops: LoopsChange = LoopsChange()
    budget: BudgetEntry = BudgetEntry()
    tolerances: TolerancesChange = TolerancesChange()


class AxisEntry(Table):
    """An option axis."""

    choices: Annotated[dict[field.Name, dict[field.Flag, bool]], Field(min_length=2)]
    default: str
    id: field.Showing


class GridEntry(Table):
    """A grid of a profile."""

    networks: field.Networks
    excluded: field.Exceptions = Field(default=[], alias="except")
    precisions: field.Some[list[field.Weights]] = Field(default=[Precision.FP32])
    axes: list[field.AxisName]
    threads: field.Some[list[field.ThreadCount]] = Field(default=[1])
    cover: field.Covering = Cover.EVERY


class CatalogEntry(Table):
    """The whole file."""

    schema_version: field.Schema = Field(alias="schema")
    default_profile: field.ProfileName
    reference_release: field.Release
    step_timeout_seconds: field.Seconds
    loops: LoopsChange = LoopsChange()
    networks: field.Some[dict[field.Name, NetworkEntry]]
    axes: dict[field.Name, AxisEntry]
    profiles: dict[field.Name, field.Some[list[GridEntry]]]
    tolerances: TolerancesEntry
