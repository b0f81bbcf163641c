"""What a store holds of a selection of releases, cases and gauges, as a history."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from packaging.version import Version

from ncnn_peakmem import baselines
from ncnn_peakmem.baselines import BaselineStore
from ncnn_peakmem.history.timeline import History
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import Gauge


def stored_history(
    store: BaselineStore,
    machine: MachineClass,
    releases: Iterable[str],
    cases: Collection[str],
    gauges: Collection[Gauge],
) -> History:
    """The history of those cases, with those gauges; releases that have nothing of them are left out.

    `BaselineError` where a file cannot be used.
    """
    wanted = {Version(release) for release in releases}
    found = [store.load(machine, version) for version in store.versions(machine) if version in wanted]
    ids = frozenset(cases)
    reduced = (release.only(ids, gauges) for release in found)
    return History(machine, tuple(release for release in reduced if release.cases))


def stored_machine(store: BaselineStore, name: str) -> MachineClass | None:
    """The machine class of that id, or None where the store has none such; `BaselineError` as above."""
    if name not in store.machine_classes():
        return None
    file = min((store.folder / name).glob("[!.]*.json"))
    return baselines.read(file).machine
