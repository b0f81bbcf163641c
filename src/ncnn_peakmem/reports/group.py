"""Cases that came to the same, told as one. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from ncnn_peakmem.baselines import Verdict
from ncnn_peakmem.catalog import Axis
from ncnn_peakmem.history import Product, products
from ncnn_peakmem.measurement import JUDGED, Gauge, Measurement
from ncnn_peakmem.reports import quantity
from ncnn_peakmem.reports.run_report import RunReport

_MOST_AXES_NAMED = 4
_HEAD = 2

# It is noisy: figures that differ by luck alone must not hide that all others are equal.
_COMPARED = tuple(gauge for gauge in Gauge if gauge is not Gauge.DEPLOYED)

_Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Verdicts that agree in all but what `deployed` read, and a title that says whose they are.

    A title is a case's id, or such as `resnet18 fp32 light t1, any of half/single, q8/plain (4 cases)`.
    """

    title: str
    verdicts: tuple[Verdict, ...]


def grouped(verdicts: Iterable[Verdict], report: RunReport) -> list[Group]:
    """The verdicts, those of one network and precision together that agree; in the order of their first."""
    known: defaultdict[_Parts, list[_Parts]] = defaultdict(list)
    for case in {*report.measured.cases, *(verdict.case for verdict in report.verdicts)}:
        parts = _spelled(case, report.axes)
        known[_kind(parts)].append(parts)
    alike: defaultdict[Hashable, dict[_Parts, Verdict]] = defaultdict(dict)
    order: dict[str, int] = {}
    for verdict in verdicts:
        parts = _spelled(verdict.case, report.axes)
        agreement = _agreement(verdict, report.measured.cases.get(verdict.case))
        alike[_kind(parts), agreement][parts] = verdict
        order[verdict.case] = len(order)
    groups = []
    for members in alike.values():
        among = known[_kind(next(iter(members)))]
        for product in products(members, among):
            found = sorted((members[parts] for parts in product.cases), key=lambda told: order[told.case])
            title = _title(product, among, report.axes) if len(found) > 1 else found[0].case
            groups.append(Group(title, tuple(found)))
    return sorted(groups, key=lambda group: order[group.verdicts[0].case])


def _spelled(case: str, axes: Sequence[Axis]) -> _Parts:
    """The case's labels, one an axis, also those that its id leaves out; the id's own where it has others."""
    parts = case.split("-")
    labels = parts[_HEAD:-1]
    if not axes or any(all(label not in axis.choices for axis in axes) for label in labels):
        return tuple(parts)
    chosen = [next((label for label in labels if label in axis.choices), axis.default) for axis in axes]
    return (*parts[:_HEAD], *chosen, *parts[-1:])


def _kind(parts: _Parts) -> _Parts:
    """What cases have to share to be told as one: network, precision, and the number of labels."""
    return (*parts[:_HEAD], str(len(parts)))


def _agreement(verdict: Verdict, measurement: Measurement | None) -> Hashable:
    """Equal for verdicts that agree: to the byte in every phase, and in how their probes ended."""
    readings = measurement.readings if measurement else {}
    figures = tuple(
        (gauge, phase, metric, readings[gauge].net(phase, metric))
        for gauge in _COMPARED
        if gauge in readings
        for phase in readings[gauge].phases
        for metric in JUDGED[gauge]
    )
    # With noisy figures alone nothing tells that two cases are the same.
    alone = "" if figures or not any(reading.outcome.ok for reading in readings.values()) else verdict.case
    changes = (*verdict.changes, *verdict.peaks)
    compared = tuple(change for change in changes if change.gauge in _COMPARED)
    moved = frozenset(change.gauge for change in verdict.changes)
    ends = tuple((gauge, reading.outcome) for gauge, reading in readings.items())
    told = (verdict.kind, verdict.reason, verdict.against, verdict.overruns)
    return *told, figures, alone, compared, moved, ends


def _title(product: Product, among: Sequence[_Parts], axes: Sequence[Axis]) -> str:
    """The labels that all of the cases share, then those of which they have several, then what is all one."""
    shared: list[str] = []
    several: list[str] = []
    free: list[str] = []
    for place, labels in enumerate(product.labels):
        every = {parts[place] for parts in among}
        axis = next((axis for axis in axes if labels <= axis.choices.keys()), None)
        if len(labels) > 1:
            (free if labels == every else several).append("/".join(_ordered(labels, axis)))
        elif len(every) > 1 or axis is None or axis.unvaried:
            shared += labels
    if len(free) > _MOST_AXES_NAMED:
        free = [f"{len(free)} other options"]
    told = [" ".join(shared), *several, *([f"any of {', '.join(free)}"] if free else [])]
    return f"{', '.join(told)} ({quantity.counted(len(product.cases), 'case')})"


def _ordered(labels: frozenset[str], axis: Axis | None) -> list[str]:
    """In the order of the axis; those of none by length first, so that `t10` comes after `t2`."""
    if axis is not None:
        return [label for label in axis.choices if label in labels]
    return sorted(labels, key=lambda label: (len(label), label))
