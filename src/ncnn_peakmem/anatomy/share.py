"""What each block alive at a moment is for: one share, or two where a pool's block is used in part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ncnn_peakmem.anatomy.heap_block import HeapBlock
from ncnn_peakmem.anatomy.loading import Role
from ncnn_peakmem.anatomy.paired_runs import PairedRuns
from ncnn_peakmem.anatomy.part import Kind
from ncnn_peakmem.anatomy.pool_state import HeldBlock, pool_blocks
from ncnn_peakmem.probe.layer_events import Pool

OUTPUT_COPY = "output copy"
"""Notes the copy that ncnn makes of an output which would else lie in one of its own pools."""

ALONE = "has no like in the run in steps"
"""Notes bytes of the one-shot run that the stepped run cannot tell of."""

_GRAPH = "the graph"
_UNPOOLED = "outside the pools"
_USED = {Pool.BLOB: Kind.LIVE_BLOB, Pool.WORKSPACE: Kind.WORKSPACE}
_ROLES = {
    Role.KEPT: Kind.WEIGHTS,
    Role.READ: Kind.WEIGHTS,
    Role.PACKED: Kind.WEIGHTS,
    Role.COPY: Kind.HELD_TWICE,
    Role.STRANGE: Kind.OTHER,
}


@dataclass(frozen=True, slots=True)
class Share:
    """Bytes of a block that are for one thing; `layer` is a number, None where there is none to name."""

    layer: int | None
    kind: Kind
    bytes: int
    note: str = ""


class Shares:
    """The blocks of the one-shot run that are alive at one moment.

    `at` is the moment in the stepped run: when the last of them was taken, copies of outputs apart.
    """

    def __init__(self, runs: PairedRuns, alive: Sequence[HeapBlock]) -> None:
        self._runs = runs
        self._alive = alive
        likes = [like for block in alive if (like := runs.like(block)) is not None]
        self.at = runs.moment(likes)
        self._pools = pool_blocks(runs.stepped, self.at) if self.at else {}
        loads = [runs.loading.loads.get(like.taken) for like in likes]
        self._packed = {load.layer for load in loads if load and load.role is Role.PACKED}

    def __iter__(self) -> Iterator[Share]:
        for block in self._alive:
            yield from self._of(block)

    def _of(self, block: HeapBlock) -> Iterator[Share]:
        like = self._runs.like(block)
        match self._runs.one_shot[block.taken[0]].command:
            case "load_param":
                yield Share(None, Kind.OTHER, block.size, _GRAPH)
            case "load_model":
                yield self._of_loading(block, like)
            case "prepare_input":
                yield Share(self._input(block), Kind.INPUT, block.size)
            case _ if like is None:
                yield Share(None, Kind.OTHER, block.size, ALONE)
            case _ if like.taken in self._runs.copies:
                yield Share(self._runs.copies[like.taken], Kind.LIVE_BLOB, block.size, OUTPUT_COPY)
            case _ if like.taken in self._pools:
                yield from _of_pool(block, self._pools[like.taken])
            case _:
                yield self._unpooled(block, like)

    def _of_loading(self, block: HeapBlock, like: HeapBlock | None) -> Share:
        load = self._runs.loading.loads.get(like.taken) if like else None
        if load is None:
            # Without the stepped run this much is known: loading keeps weights.
            stepped = bool(self._runs.loading.loads)
            return Share(None, Kind.OTHER if stepped else Kind.WEIGHTS, block.size, ALONE)
        twice = load.role is Role.READ and load.layer in self._packed
        return Share(load.layer, Kind.HELD_TWICE if twice else _ROLES[load.role], block.size)

    def _input(self, block: HeapBlock) -> int | None:
        """The Input layer: the child makes the inputs in the order in which the graph has them."""
        inputs = [number for number, layer in enumerate(self._runs.layers) if layer.type == "Input"]
        made = [other for other in self._runs.blocks if other.taken[0] == block.taken[0]]
        number = made.index(block)
        return inputs[number] if number < len(inputs) else None

    def _unpooled(self, block: HeapBlock, like: HeapBlock) -> Share:
        """A block that a layer took by itself: for its work, unless it outlives the inference."""
        kind = Kind.WORKSPACE if _passing(block) else Kind.OTHER
        return Share(self._runs.layer_at(like.taken), kind, block.size, _UNPOOLED)


def _of_pool(block: HeapBlock, pooled: HeldBlock) -> Iterator[Share]:
    if pooled.user is not None:
        yield Share(pooled.user, _USED[pooled.pool], block.size - pooled.idle)
        yield Share(pooled.taken_for, Kind.IDLE_POOL, pooled.idle)
    else:
        yield Share(pooled.taken_for, Kind.IDLE_POOL, block.size)


def _passing(block: HeapBlock) -> bool:
    """Whether it is freed in the inference that took it."""
    return block.freed is not None and block.freed[0] == block.taken[0]
