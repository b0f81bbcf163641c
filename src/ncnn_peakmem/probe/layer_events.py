"""What happens to memory while a network is loaded and run: events in order, a stretch a command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ncnn_peakmem.measurement import Phase
from ncnn_peakmem.network import Shape


class Pool(StrEnum):
    """Which of an extractor's two pools."""

    BLOB = "blob"
    WORKSPACE = "workspace"


@dataclass(frozen=True, slots=True)
class Taken:
    """A block that ncnn took from malloc, by whichever of its allocators."""

    address: int
    size: int


@dataclass(frozen=True, slots=True)
class Freed:
    """A block that malloc got back."""

    address: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """The weights of a layer are packed, and those of the layer before it."""

    layer: int


@dataclass(frozen=True, slots=True)
class Entered:
    """A layer is about to run."""

    layer: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What a layer was given by a pool: `size` bytes in the block at `address`."""

    pool: Pool
    layer: int
    address: int
    size: int


@dataclass(frozen=True, slots=True)
class GivenBack:
    """A block that its pool has back."""

    pool: Pool
    address: int


@dataclass(frozen=True, slots=True)
class Extracted:
    """An output is there; what is taken from now on, until a layer runs again, is its copy for the caller."""


Event = Taken | Freed | Loaded | Entered | Asked | GivenBack | Extracted


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one command of the child did; `loop` is the number of the inference, None for other commands."""

    command: str
    phase: Phase
    loop: int | None
    events: tuple[Event, ...]

    def is_for_pool(self, index: int) -> bool:
        """Whether the event takes a block for a pool: then the request for it follows at once."""
        match self.events[max(index, 0) : index + 2]:
            case (Taken(taken), Asked(address=asked)):
                return taken == asked
        return False


@dataclass(frozen=True, slots=True)
class BlobSize:
    """What a layer made: its shape without batch, outermost first, and its bytes without padding."""

    shape: Shape
    bytes: int


@dataclass(frozen=True, slots=True)
class LayerTrace:
    """One network run twice: as ever, and layer by layer with pools of its own.

    `one_shot` has what malloc saw. `stepped` has the same stretches with layers and pools besides; it ends
    early where `trouble` says why. Layers are numbered as in the `.param`; `sizes` has what each one made.
    """

    one_shot: tuple[Stretch, ...]
    stepped: tuple[Stretch, ...]
    sizes: Mapping[int, tuple[BlobSize, ...]]
    trouble: str = ""
