"""Where a heap grew: the layers and kinds of bytes, found by taking both builds' runs apart."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import TypeAdapter

from ncnn_peakmem.anatomy.difference import Growth, difference
from ncnn_peakmem.anatomy.dissection import explain
from ncnn_peakmem.baselines import Change, Verdict
from ncnn_peakmem.measurement import Gauge, Phase, Reading
from ncnn_peakmem.param_file import ParamFileError
from ncnn_peakmem.probe import Conditions, Job, ProbeEnded


@dataclass(frozen=True, slots=True)
class Place:
    """What grew in the peak that came in `phase`, the largest first, and last what shrank."""

    phase: Phase
    growths: tuple[Growth, ...]


@dataclass(frozen=True, slots=True)
class Where:
    """The peaks that grew, taken apart: of loading, and of the whole run; or why that cannot be told."""

    places: tuple[Place, ...] = ()
    trouble: str = ""

    def to_json(self) -> bytes:
        """The finding as JSON; `from_json` gives it back without loss."""
        return _WHERE.dump_json(self)

    @staticmethod
    def from_json(text: bytes) -> Where:
        """Read what `to_json` wrote."""
        return _WHERE.validate_json(text)


def grown(verdict: Verdict) -> tuple[Change, ...]:
    """The figures of the heap that grew beyond their tolerance."""
    return tuple(change for change in verdict.only(Gauge.HEAP).changes if change.exceeds)


def locate(
    changes: tuple[Change, ...],
    new: tuple[Job, Reading],
    old: tuple[Job, Reading],
    conditions: Conditions,
) -> Where:
    """Split both builds' peaks by layer and kind, and compare. Readings are those of gauge `heap`.

    Asked for is the peak of loading where that grew, and the whole run's where any other figure did.
    """
    try:
        now, then = (explain(job, reading, conditions) for job, reading in (new, old))
    except (ProbeEnded, ParamFileError) as error:
        return Where(trouble=str(error))
    places = []
    if any(change.phase is Phase.LOAD_MODEL for change in changes):
        places.append(Place(Phase.LOAD_MODEL, difference(now.load, then.load)))
    if any(change.phase is not Phase.LOAD_MODEL for change in changes):
        places.append(Place(now.peak.moment.phase, difference(now.peak, then.peak)))
    return Where(tuple(places))


_WHERE: TypeAdapter[Where] = TypeAdapter(Where)
