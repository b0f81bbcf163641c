"""What the pools hold at a moment, and for whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ncnn_peakmem.anatomy.heap_block import Place
from ncnn_peakmem.probe.layer_events import Asked, Freed, GivenBack, Pool, Stretch, Taken


@dataclass(frozen=True, slots=True)
class HeldBlock:
    """A block of a pool: for which layer it was taken, for how many bytes, and who has it now, if anybody."""

    pool: Pool
    taken_for: int
    fits: int
    user: int | None
    used: int

    @property
    def idle(self) -> int:
        """The bytes of it that nobody has asked for."""
        return self.fits - self.used


@dataclass(slots=True)
class _Held:
    taken: Place
    first: Asked | None = None
    now: Asked | None = None


def pool_blocks(stretches: Sequence[Stretch], place: Place) -> Mapping[Place, HeldBlock]:
    """The pools' blocks by where they were taken, once the event at `place` has happened.

    Where that event takes a block for a pool, what is then asked of the block is part of it.
    """
    held = _held(stretches, place)
    return {
        block.taken: HeldBlock(
            pool=block.first.pool,
            taken_for=block.first.layer,
            fits=block.first.size,
            user=block.now.layer if block.now else None,
            used=block.now.size if block.now else 0,
        )
        for block in held.values()
        if block.first is not None
    }


def _held(stretches: Sequence[Stretch], place: Place) -> dict[int, _Held]:
    held: dict[int, _Held] = {}
    last = _with_its_request(stretches, place)
    for number, stretch in enumerate(stretches[: last[0] + 1]):
        for index, event in enumerate(stretch.events):
            if (number, index) > last:
                break
            match event:
                case Taken(address):
                    held[address] = _Held((number, index))
                case Freed(address):
                    held.pop(address, None)
                case Asked(address=address) if address in held:
                    block = held[address]
                    block.first = block.first or event
                    block.now = event
                case GivenBack(address=address) if address in held:
                    held[address].now = None
    return held


def _with_its_request(stretches: Sequence[Stretch], place: Place) -> Place:
    """The place, or the one after it where that is the request for which the block there was taken."""
    number, index = place
    return (number, index + 1) if stretches[number].is_for_pool(index) else place
