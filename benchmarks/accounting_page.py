"""Writes docs/accounting.md from the networks of models.yaml and the newest of the stored baselines."""

from __future__ import annotations

from pathlib import Path

from ncnn_peakmem import baselines, catalog
from ncnn_peakmem.baselines import BaselineStore
from ncnn_peakmem.conversion import Cache, convert
from ncnn_peakmem.graph import read
from ncnn_peakmem.measurement import MeasurementSet
from ncnn_peakmem.reports import accounting

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "accounting.md"


def newest(store: BaselineStore) -> MeasurementSet:
    """The baselines of the newest ncnn; of several machine classes that have it, the first by name."""
    files = [min((store.folder / name).glob("[!.]*.json")) for name in store.machine_classes()]
    machines = [baselines.read(file).machine for file in files]
    machine = max(machines, key=lambda machine: store.versions(machine)[-1])
    return store.load(machine, store.versions(machine)[-1])


def page(cache: Cache) -> str:
    """The page as it should be."""
    known = catalog.load(ROOT / "models.yaml")
    cases = known.cases(known.default_profile)
    names = dict.fromkeys(case.network for case in cases)
    graphs = {name: read(convert(known.networks[name], cache, print)) for name in names}
    return accounting.render(graphs, newest(BaselineStore(ROOT / "baselines")), cases)


if __name__ == "__main__":
    PAGE.write_text(page(Cache()))
