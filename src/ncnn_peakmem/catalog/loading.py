"""`models.yaml` on its way into the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ncnn_peakmem.case import OptionChoice
from ncnn_peakmem.catalog.catalog import Axis, Catalog, Grid, InId, Profile
from ncnn_peakmem.catalog.coherence import incoherences
from ncnn_peakmem.catalog.document import read
from ncnn_peakmem.catalog.misfit import parse
from ncnn_peakmem.catalog.mistake import CatalogError
from ncnn_peakmem.catalog.schema import (
    AxisEntry,
    CatalogEntry,
    ComparisonsChange,
    GaugeChange,
    GridEntry,
    LoopsChange,
    NetworkEntry,
    ToleranceChange,
    TolerancesChange,
)
from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.network import BuiltIn, Loops, NcnnFiles, Network, OnnxFile, Source
from ncnn_peakmem.tolerance import GaugeTolerance, Tolerance, Tolerances

_NONE: Tolerances = dict.fromkeys(Gauge, GaugeTolerance(Tolerance(), Tolerance()))


def load(path: Path, model_dir: Path | None = None) -> Catalog:
    """Read a catalog file; CatalogError names all its mistakes at once.

    Model files that it names lie below its folder, or below `model_dir`, which the caller vouches for.
    """
    document = read(path, model_dir)
    entry, misfits = parse(document)
    mistakes = [*document.mistakes, *misfits, *incoherences(document)]
    if entry is None or mistakes:
        raise CatalogError(mistakes)
    return _catalog(path, entry)


def _catalog(path: Path, entry: CatalogEntry) -> Catalog:
    loops = _changed_loops(Loops(), entry.loops)
    tolerances = _changed_tolerances(_NONE, entry.tolerances)
    own_tolerances = {
        name: _changed_tolerances(tolerances, network.tolerances) for name, network in entry.networks.items()
    }
    return Catalog(
        path=path,
        reference_release=entry.reference_release,
        step_timeout_seconds=entry.step_timeout_seconds,
        default_profile=entry.default_profile,
        networks={name: _network(name, network, loops) for name, network in entry.networks.items()},
        precisions={name: network.precision for name, network in entry.networks.items()},
        network_tolerances=own_tolerances,
        threaded_tolerances={
            name: _threaded(own_tolerances[name], entry.tolerances, network.tolerances)
            for name, network in entry.networks.items()
        },
        axes={name: _axis(name, axis) for name, axis in entry.axes.items()},
        profiles={
            name: Profile(name, tuple(_grid(grid) for grid in grids))
            for name, grids in entry.profiles.items()
        },
    )


def _network(name: str, entry: NetworkEntry, shared: Loops) -> Network:
    shapes = tuple(tuple(shape) for shape in entry.input_shapes)
    return Network(name, _source(entry), shapes, _changed_loops(shared, entry.loops), entry.precision)


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
    return Grid(tuple(entry.networks), tuple(entry.axes), tuple(entry.threads))


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
