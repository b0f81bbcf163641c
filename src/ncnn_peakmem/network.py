"""A network: where its files come from, and the ncnn files that are run in the end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

Shape = tuple[int, ...]
"""Dimensions as ONNX and ncnn's `inputshape=` write them, outermost first: (1, 3, 224, 224)."""


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A topology of `ncnn_peakmem.networks`, with the seed of its weights."""

    topology: str
    seed: int = 0


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """A user's ONNX model."""

    path: Path


@dataclass(frozen=True, slots=True)
class NcnnFiles:
    """A user's ncnn model; without a `.bin` its weights are read as zeros, as benchncnn does."""

    param: Path
    bin: Path | None = None


Source = BuiltIn | OnnxFile | NcnnFiles


@dataclass(frozen=True, slots=True)
class Loops:
    """How long to look for the peak of looped inference.

    A run ends once the peak has rested for `settle_factor` times as many loops as it took to get there, and
    no sooner than `minimum` loops; at `maximum` it ends in any case and says if it was still growing.
    """

    minimum: int = 12
    maximum: int = 400
    settle_factor: float = 2.0

    def needed(self, settled_at: int) -> int:
        """The loops to run in all, the first inference included, when the peak last moved in `settled_at`."""
        return min(self._to_rest(settled_at), self.maximum)

    def growing(self, loops: int, settled_at: int) -> bool:
        """Whether a run that ended after `loops` had not yet seen the peak rest."""
        return loops < self._to_rest(settled_at)

    def _to_rest(self, settled_at: int) -> int:
        return max(self.minimum, int(self.settle_factor * (settled_at + 1)))


@dataclass(frozen=True, slots=True)
class Network:
    """A named network. `input_shapes` stays empty where the model file itself tells them."""

    name: str
    source: Source
    input_shapes: tuple[Shape, ...] = ()
    loops: Loops = Loops()


@dataclass(frozen=True, slots=True)
class InputBlob:
    """An input of a ncnn graph: its blob name and its shape without batch, (c, h, w), (h, w) or (w,)."""

    name: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The ncnn files that a probe loads and runs; a `bin` of None means zero weights.

    `digest` names all that a peak depends on: the graph, the input shapes and the number of weight bytes.
    """

    param: Path
    bin: Path | None
    inputs: tuple[InputBlob, ...]
    outputs: tuple[str, ...]
    digest: str
