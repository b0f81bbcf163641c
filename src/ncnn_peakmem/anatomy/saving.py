"""What would have to shrink to lower a peak, and how far it would come down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from ncnn_peakmem.anatomy.heap_block import highest
from ncnn_peakmem.anatomy.paired_runs import PairedRuns
from ncnn_peakmem.anatomy.part import Kind, Split
from ncnn_peakmem.anatomy.pool_replay import replay
from ncnn_peakmem.anatomy.pool_state import pool_blocks
from ncnn_peakmem.probe.layer_events import Asked, Pool

# A replay takes some microseconds a request; a run of hundreds of loops has hundreds of thousands.
_MOST_REQUESTS = 20_000
_MOST_OF_WEIGHTS, _MOST_OF_POOLS = 2, 4
_KINDS = {Pool.BLOB: Kind.LIVE_BLOB, Pool.WORKSPACE: Kind.WORKSPACE}
_FIXED = {Kind.WEIGHTS, Kind.HELD_TWICE}


@dataclass(frozen=True, slots=True)
class Saving:
    """The peak if a layer had nothing of a kind, and `then`: the layer at which it would come about.

    `bytes` is what the layer has at the peak. The peak rarely comes down by as much: other layers would have
    the pool take what they now find in it.
    """

    layer: str
    title: str
    kind: Kind
    bytes: int
    peak: int
    then: str = ""

    @property
    def where(self) -> str:
        """Such as `conv 1x1 1024->1024 (convrelu_13)`."""
        return f"{self.title} ({self.layer})"


def savings(runs: PairedRuns, split: Split) -> tuple[Saving, ...]:
    """What lowers the peak most, the best first.

    Weights that are gone are gone to the byte. Of what the pools hold, the layers with most of it are tried
    by replaying ncnn's policy without their requests; not where the run is too long for it, or where the
    replay is not what was traced.
    """
    found = [*_of_weights(split), *_of_pools(runs, split)]
    return tuple(sorted(found, key=lambda saving: saving.peak))


def _of_weights(split: Split) -> Iterator[Saving]:
    for part in islice(
        (part for part in split.parts if part.kind in _FIXED and part.layer), _MOST_OF_WEIGHTS
    ):
        yield Saving(part.layer, part.title, part.kind, part.bytes, split.bytes - part.bytes)


def _of_pools(runs: PairedRuns, split: Split) -> Iterator[Saving]:
    requests = sum(isinstance(event, Asked) for stretch in runs.stepped for event in stretch.events)
    if requests > _MOST_REQUESTS or replay(runs.stepped).peak != split.bytes:
        return
    place, _ = highest(runs.stepped_blocks.values(), 0, len(runs.stepped))
    moment = runs.moment(block for block in runs.stepped_blocks.values() if block.alive(place))
    held: Counter[tuple[int, Pool]] = Counter()
    for taken, block in pool_blocks(runs.stepped, moment or place).items():
        size = runs.stepped_blocks[taken].size
        if block.user is not None:
            held[block.user, block.pool] += size - block.idle
        held[block.taken_for, block.pool] += size if block.user is None else block.idle
    for (layer, pool), size in held.most_common(_MOST_OF_POOLS):
        lower = replay(runs.stepped, _requests_of(layer, pool))
        then = runs.layer_at(lower.place)
        yield Saving(*runs.named(layer), _KINDS[pool], size, lower.peak, runs.named(then)[0])


def _requests_of(layer: int, pool: Pool) -> Callable[[Asked], bool]:
    return lambda asked: (asked.layer, asked.pool) == (layer, pool)
