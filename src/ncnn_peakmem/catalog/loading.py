"""`models.yaml` on its way into the catalog."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ncnn_peakmem.budget import Budget
from ncnn_peakmem.case import OptionChoice
from ncnn_peakmem.catalog import variant
from ncnn_peakmem.catalog.catalog import Axis, Catalog, Grid, InId, Profile
from ncnn_peakmem.catalog.coherence import excesses, incoherences
from ncnn_peakmem.catalog.document import read
from ncnn_peakmem.catalog.misfit import parse
from ncnn_peakmem.catalog.mistake import CatalogError
from ncnn_peakmem.catalog.schema import (
    AxisEntry,
    BudgetEntry,
    CatalogEntry,
    ComparisonsChange,
    GaugeChange,
    GridEntry,
    LoopsChange,
    NetworkEntry,
    ToleranceChange,
    TolerancesChange,
)
from ncnn_peakmem.measurement import Gauge, Phase
from ncnn_peakmem.network import BuiltIn, Calibration, Loops, NcnnFiles, Network, OnnxFile, Source
from ncnn_peakmem.tolerance import GaugeTolerance, Tolerance, Tolerances

Shapes = list[list[int]]

_NONE: Tolerances = dict.fromkeys(Gauge, GaugeTolerance(Tolerance(), Tolerance()))


def load(path: Path, model_dir: Path | None = None) -> Catalog:
    """Read a catalog file; CatalogError names all its mistakes at once.

    Model files that it names lie below its folder, or below `model_dir`, which the caller vouches for.
    """
    document = read(path, model_dir)
    # What is compared with each other from here on has to be of a number that can be managed.
    if mistakes := list(excesses(document)):
        raise CatalogError([*document.mistakes, *mistakes])
    entry, misfits = parse(document)
    mistakes = [*document.mistakes, *misfits, *incoherences(document)]
    if entry is None or mistakes:
        raise CatalogError(mistakes)
    return _catalog(path, entry)


def _catalog(path: Path, entry: CatalogEntry) -> Catalog:
    loops = _changed_loops(Loops(), entry.loops)
    tolerances = _changed_tolerances(_NONE, entry.tolerances)
    networks = list(_networks(entry))
    own_tolerances = {name: _changed_tolerances(tolerances, own.tolerances) for name, own, _ in networks}
    return Catalog(
        path=path,
        reference_release=entry.reference_release,
        step_timeout_seconds=entry.step_timeout_seconds,
        default_profile=entry.default_profile,
        networks={name: _network(name, own, shapes, loops) for name, own, shapes in networks},
        budgets={name: _budget(own.budget) for name, own, _ in networks},
        network_tolerances=own_tolerances,
        threaded_tolerances={
            name: _threaded(own_tolerances[name], entry.tolerances, own.tolerances)
            for name, own, _ in networks
        },
        axes={name: _axis(name, axis) for name, axis in entry.axes.items()},
        profiles={
            name: Profile(name, tuple(_grid(grid) for grid in grids))
            for name, grids in entry.profiles.items()
        },
    )


def _networks(entry: CatalogEntry) -> Iterator[tuple[str, NetworkEntry, Shapes]]:
    """Every network by name, with the entry that stands for it and its input shapes."""
    for name, network in entry.networks.items():
        if isinstance(network.input_shapes, dict):
            for label, shapes in network.input_shapes.items():
                yield variant.name_of(name, label), network, shapes
        else:
            yield name, network, network.input_shapes


def _network(name: str, entry: NetworkEntry, shapes: Shapes, shared: Loops) -> Network:
    return Network(
        name,
        _source(entry),
        input_shapes=tuple(tuple(shape) for shape in shapes),
        loops=_changed_loops(shared, entry.loops),
        precision=entry.precision,
        calibration=Calibration(**dict(entry.calibration)),
    )


def _budget(entry: BudgetEntry) -> Budget:
    whole = entry.model_dump(exclude_unset=True)
    of_heap = {phase: whole[phase] for phase in Phase if phase in whole}
    by_gauge = {gauge: whole.get(gauge, {}) for gauge in Gauge}
    by_gauge[Gauge.HEAP] = {**of_heap, **by_gauge[Gauge.HEAP]}
    return Budget(
        {(gauge, Phase(phase)): most for gauge, phases in by_gauge.items() for phase, most in phases.items()}
    )


def _source(entry: NetworkEntry) -> Source:
    if entry.topology is not None:
        return BuiltIn(entry.topology, entry.seed)
    if entry.onnx is not None:
        return OnnxFile(entry.onnx)
    assert entry.param is not None
    return NcnnFiles(entry.param, entry.bin)


def _axis(name: str, entry: AxisEntry) -> Axis:
    choices = {
        label: OptionChoice(name, label, flags, in_id=entry.id is InId.ALWAYS or label != entry.default)
        for label, flags in entry.choices.items()
    }
    return Axis(name, choices, entry.default, entry.id)


def _grid(entry: GridEntry) -> Grid:
    return Grid(
        networks=tuple(name for name in entry.networks if name not in entry.excluded),
        axes=tuple(entry.axes),
        threads=tuple(entry.threads),
        precisions=tuple(entry.precisions),
        cover=entry.cover,
    )


def _changed_loops(loops: Loops, change: LoopsChange) -> Loops:
    return replace(loops, **change.model_dump(exclude_unset=True))


def _changed_tolerances(tolerances: Tolerances, change: TolerancesChange) -> Tolerances:
    changes: Mapping[str, GaugeChange] = dict(change)
    return {gauge: _changed_gauge(tolerances[gauge], changes[gauge]) for gauge in Gauge}


def _threaded(single: Tolerances, shared: TolerancesChange, own: TolerancesChange) -> Tolerances:
    """What several threads are allowed where one is allowed `single`."""
    threaded = _NONE
    for change in (shared, own):
        changes: Mapping[str, GaugeChange] = dict(change)
        threaded = {gauge: _changed_gauge(threaded[gauge], changes[gauge].several_threads) for gauge in Gauge}
    return {gauge: single[gauge].widened(threaded[gauge]) for gauge in Gauge}


def _changed_gauge(tolerance: GaugeTolerance, change: ComparisonsChange) -> GaugeTolerance:
    return GaugeTolerance(
        between_releases=_changed_tolerance(tolerance.between_releases, change.between_releases),
        same_release=_changed_tolerance(tolerance.same_release, change.same_release),
    )


def _changed_tolerance(tolerance: Tolerance, change: ToleranceChange) -> Tolerance:
    return replace(tolerance, **change.model_dump(exclude_unset=True))
