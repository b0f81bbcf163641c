"""What each block that loading takes is for: told from its size and its time, layer by layer.

In ncnn a layer reads its weights first, then its bias and other small arrays, and packs the weights when its
pipeline is made; what was read is freed then in light mode. Since 20231027 this happens layer after layer,
before that all layers read first and pack then.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ncnn_peakmem.anatomy.heap_block import OVERREAD_BYTES, HeapBlock, Place
from ncnn_peakmem.graph import weights
from ncnn_peakmem.param_file import Layer
from ncnn_peakmem.probe.layer_events import Loaded, Stretch

# Behind its numbers a Mat has a reference count.
_BYTES_MORE = 4 + OVERREAD_BYTES
_ALIGNMENTS = (4, 16)

# Half precision halves weights. Winograd's form takes up to 7 times as much (16 times in int8), and that of
# few channels is padded to 16 of them.
_LEAST_PACKED, _MOST_PACKED = 1 / 4, 128


class Role(StrEnum):
    """What a block is among those of its layer."""

    KEPT = "kept"
    """The only copy of what it holds."""
    READ = "read"
    """The weights as they were read; the second copy once the packed ones are there."""
    PACKED = "packed"
    """The weights as inference uses them."""
    COPY = "copy"
    """One more copy of the weights, or what packing needs for a while."""
    STRANGE = "strange"
    """Nothing of what the layer is known to keep."""


@dataclass(frozen=True, slots=True)
class Load:
    """A block that loading takes: for which layer (its number), in which role."""

    layer: int
    role: Role


@dataclass(frozen=True, slots=True)
class Loading:
    """All blocks of loading, by where they were taken.

    `unsure` names layers whose weights could not be told from those of the layer before.
    """

    loads: Mapping[Place, Load]
    unsure: tuple[str, ...] = ()


def loading(stretch: Stretch, number: int, found: Iterable[HeapBlock], layers: Sequence[Layer]) -> Loading:
    """What the blocks taken in `stretch`, which has this number among all, are for."""
    end = (number, len(stretch.events))
    taken = [block for block in found if block.taken[0] == number]
    owners, unsure = _owners(stretch, taken, layers)
    loads: dict[Place, Load] = {}
    for layer in set(owners.values()):
        own = [block for block in taken if owners[block.taken] == layer]
        for block, role in _roles(own, layers[layer], end).items():
            loads[block.taken] = Load(layer, role)
    return Loading(loads, unsure)


def _owners(
    stretch: Stretch, taken: Sequence[HeapBlock], layers: Sequence[Layer]
) -> tuple[dict[Place, int], tuple[str, ...]]:
    """The layer of each block: the next whose pipeline is then done; before the first, by what it holds."""
    done = [(index, event.layer) for index, event in enumerate(stretch.events) if isinstance(event, Loaded)]
    first = done[0][0] if done else len(stretch.events)
    read_first = [block for block in taken if block.taken[1] < first]
    owners, unsure = _in_reading_order(read_first, layers)
    for block in taken[len(read_first) :]:
        after = bisect(done, block.taken[1], key=lambda mark: mark[0])
        owners[block.taken] = done[after][1] if after < len(done) else len(layers) - 1
    return owners, unsure


def _in_reading_order(
    read: Sequence[HeapBlock], layers: Sequence[Layer]
) -> tuple[dict[Place, int], tuple[str, ...]]:
    """Blocks read one layer after another, without marks: each has as many numbers as it announces."""
    ahead = [number for number, layer in enumerate(layers) if sum(_count(layer))]
    current, missing = 0, 0
    owners: dict[Place, int] = {}
    for block in read:
        if missing <= 0 and ahead and _begins(block, layers[ahead[0]]):
            current = ahead.pop(0)
            missing = sum(_count(layers[current]))
        owners[block.taken] = current
        missing -= _numbers(block, layers[current])
    unsure = tuple(layers[number].name for number in ahead) if current > 0 else ()
    return owners, unsure


def _begins(block: HeapBlock, layer: Layer) -> bool:
    """Whether the block may be the first array of a layer."""
    return any(_holds(block, size) for size in _first_array(layer))


def _numbers(block: HeapBlock, layer: Layer) -> int:
    """How many numbers a block of weights holds, of 4 bytes or, if it is a layer's in int8, of one."""
    first, _ = _count(layer)
    return first if _holds(block, first) and not _holds(block, 4 * first) else (block.size - _BYTES_MORE) // 4


def _roles(own: Sequence[HeapBlock], layer: Layer, end: Place) -> dict[HeapBlock, Role]:
    """The blocks of one layer, in the order in which they were taken."""
    _, bias = _count(layer)
    read = next((block for block in own if _begins(block, layer)), None)
    if read is None:
        most = 4 * sum(_count(layer)) + _BYTES_MORE
        known = sum(_count(layer)) > 0
        kept_role = {True: Role.STRANGE, False: Role.KEPT}
        return {
            block: kept_role[known and block.size > most] if block.alive(end) else Role.COPY for block in own
        }
    small = {block for block in own if block is not read and bias and _holds(block, 4 * bias)}
    kept = [block for block in own if block.alive(end) and block is not read and block not in small]
    plausible = [block for block in kept if _LEAST_PACKED <= block.size / read.size <= _MOST_PACKED]
    packed = plausible[-1] if plausible else None

    def role(block: HeapBlock) -> Role:
        if block is read:
            return Role.READ
        if block is packed:
            return Role.PACKED
        if block in small:
            return Role.KEPT
        return Role.COPY if block in plausible or not block.alive(end) else Role.STRANGE

    return {block: role(block) for block in own}


def _first_array(layer: Layer) -> tuple[int, ...]:
    """The bytes that the first array of a layer may have: numbers of 4 bytes, or of 1."""
    first, _ = _count(layer)
    if layer.type == "BatchNorm":
        first //= 3
    return (4 * first, first) if first else ()


def _holds(block: HeapBlock, size: int) -> bool:
    return block.size - _BYTES_MORE in {-(-size // unit) * unit for unit in _ALIGNMENTS}


def _count(layer: Layer) -> weights.Weights:
    """What the layer announces; nothing where its parameters are not what they should be."""
    try:
        return weights.count(layer)
    except TypeError:
        return weights.Weights()
