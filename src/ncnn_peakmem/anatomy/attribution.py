"""A peak split by layer and kind, to the byte: from what was traced, nothing assumed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import TypeAdapter

from ncnn_peakmem.anatomy.heap_block import highest
from ncnn_peakmem.anatomy.paired_runs import PairedRuns
from ncnn_peakmem.anatomy.part import Kind, Moment, Part, Split
from ncnn_peakmem.anatomy.share import ALONE, Shares


@dataclass(frozen=True, slots=True)
class Attribution:
    """The peak of a whole run, and that of loading the weights. `model` is the digest of the files run.

    `notes` tell how the split came about where it is less than certain.
    """

    model: str
    peak: Split
    load: Split
    notes: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """The attribution as JSON; `from_json` gives it back without loss."""
        return _ATTRIBUTION.dump_json(self)

    @staticmethod
    def from_json(text: bytes | str) -> Attribution:
        """Read what `to_json` wrote; `pydantic.ValidationError` where the text is something else."""
        return _ATTRIBUTION.validate_json(text)


def attribute(runs: PairedRuns, model: str) -> Attribution:
    """Split the peaks of the one-shot run; `model` is the digest of what was run."""
    load = next(number for number, stretch in enumerate(runs.one_shot) if stretch.command == "load_model")
    peak = _split(runs, 0, len(runs.one_shot) - 1)
    return Attribution(model, peak, _split(runs, load, load), tuple(_notes(runs, peak)))


def _split(runs: PairedRuns, first: int, last: int) -> Split:
    """The highest moment from one stretch to another, split."""
    place, total = highest(runs.blocks, first, last)
    shares = Shares(runs, [block for block in runs.blocks if block.alive(place)])
    parts: Counter[tuple[int | None, Kind, str]] = Counter()
    for share in shares:
        parts[share.layer, share.kind, share.note] += share.bytes
    ranked = sorted(parts.items(), key=lambda part: -part[1])
    at = shares.at or place
    stretch = runs.one_shot[at[0]]
    layer = runs.layer_at(at) if shares.at else None
    return Split(
        bytes=total,
        moment=Moment(stretch.phase, stretch.loop, *runs.named(layer)),
        parts=tuple(
            Part(*runs.named(layer), kind, size, note) for (layer, kind, note), size in ranked if size
        ),
    )


def _notes(runs: PairedRuns, peak: Split) -> Iterator[str]:
    if runs.trouble:
        yield f"not split by layer from there on: run in steps, it {runs.trouble}"
    if runs.loading.unsure:
        yield (
            "the weights of these layers may be counted with those of the layer before: "
            + ", ".join(runs.loading.unsure)
        )
    alone = sum(part.bytes for part in peak.parts if part.note == ALONE)
    if alone and not runs.trouble:
        yield f"{alone} bytes of the peak {ALONE}: they are in {Kind.OTHER}"


_ATTRIBUTION: TypeAdapter[Attribution] = TypeAdapter(Attribution)
