"""A network: where its files come from, and the ncnn files that are run in the end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ncnn_peakmem.case import Precision

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


class CalibrationMethod(StrEnum):
    """How the range of an activation is told from what calibration inputs made of it."""

    MIN_MAX = "min_max"
    KL = "kl"


@dataclass(frozen=True, slots=True)
class Calibration:
    """Where the scales of int8 activations come from.

    `data` is a folder of .npy files or images, None stands for generated inputs; so many `inputs` of either
    are used. A `table` of scales, as ncnn2table writes it, takes the place of all that.
    """

    method: CalibrationMethod = CalibrationMethod.KL
    data: Path | None = None
    inputs: int = 32
    table: Path | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """A named network. `input_shapes` stays empty where the model file itself tells them.

    `precision` is how the weights of its source are stored; only of fp32 ones others can be made.
    """

    name: str
    source: Source
    input_shapes: tuple[Shape, ...] = ()
    loops: Loops = Loops()
    precision: Precision = Precision.FP32
    calibration: Calibration = Calibration()

    @property
    def has_fp32_weights(self) -> bool:
        """Whether files of other precisions can be made of its source."""
        alone = isinstance(self.source, NcnnFiles) and self.source.bin is None
        return self.precision is Precision.FP32 and not alone


@dataclass(frozen=True, slots=True)
class InputBlob:
    """An input of a ncnn graph: its blob name and its shape without batch, (c, h, w), (h, w) or (w,)."""

    name: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The ncnn files that a probe loads and runs; a `bin` of None means zero weights.

    `digest` names all that a peak depends on: the graph, the input shapes and the number of weight bytes.
    `detections` are the outputs that are empty where a network finds nothing, as it does with zero weights.
    """

    param: Path
    bin: Path | None
    inputs: tuple[InputBlob, ...]
    outputs: tuple[str, ...]
    digest: str
    detections: tuple[str, ...] = ()
