"""What a peak is made of: bytes by layer and kind."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ncnn_peakmem.measurement import Phase


class Kind(StrEnum):
    """What bytes are held for."""

    WEIGHTS = "weights"
    """One copy of a layer's weights, in whichever form there is: as read, or as packed."""
    HELD_TWICE = "weights held twice while packing"
    """Further copies of the same weights: as read, beside the packed ones, and what packing needs. Without
    light mode those as read stay for good."""
    INPUT = "input"
    """The input tensors that the caller made."""
    LIVE_BLOB = "live blob"
    """What layers have made and others are still to read, and the copy of it that the caller is given."""
    WORKSPACE = "workspace"
    """What a layer needs while it runs: padded inputs, tiles, transforms."""
    IDLE_POOL = "idle pool"
    """What the pools hold and nothing uses at that moment, the unused rest of larger blocks included."""
    OTHER = "other"
    """All else; the note says what is known of it."""


@dataclass(frozen=True, slots=True)
class Part:
    """So many bytes of one layer and kind.

    `layer` is its name in the `.param`, empty where no layer is known to be behind the bytes; `title` says
    what the layer does. Idle bytes are of the layer for which the pool took the block.
    """

    layer: str
    title: str
    kind: Kind
    bytes: int
    note: str = ""

    @property
    def where(self) -> str:
        """Such as `conv 1x1 1024->1024 (convrelu_13)`."""
        return f"{self.title} ({self.layer})" if self.layer else "no layer"


@dataclass(frozen=True, slots=True)
class Moment:
    """When a peak came about: the inference's number (None outside inference), and the layer by then."""

    phase: Phase
    loop: int | None = None
    layer: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Split:
    """A peak of `bytes`, and the parts that sum to it, largest first.

    `moment` is when the last of it was taken, copies of outputs apart: those come when an inference ends, and
    the pools hold until then whatever they held at their largest.
    """

    bytes: int
    moment: Moment
    parts: tuple[Part, ...]

    def of(self, kind: Kind) -> int:
        """The bytes of a kind."""
        return sum(part.bytes for part in self.parts if part.kind is kind)
