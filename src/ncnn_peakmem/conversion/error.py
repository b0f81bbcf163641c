"""What can go wrong on the way from a network to its ncnn files, and what to do about it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path


class Stage(StrEnum):
    """A step of a conversion, in the words that progress and errors use."""

    BUILD = "building ONNX"
    INSPECT = "reading the ONNX file"
    SIMPLIFY = "simplifying with onnxsim"
    CONVERT = "converting with pnnx"
    CHECK = "checking"
    DESCRIBE = "reading the ncnn files"
    HALVE = "storing weights as fp16"
    QUANTIZE = "quantizing to int8"
    COMPARE = "comparing with fp32"
    CACHE = "using the cache"

    @property
    def advice(self) -> str:
        """What to do next when the step fails and nothing more particular is known."""
        return _ADVICE[self]


SHAPES_ADVICE = (
    "give `input_shapes` in models.yaml (or `--input-shape` to ncnn-peakmem measure), one shape an input, "
    "batch first, such as [1, 3, 224, 224]"
)

_ADVICE = {
    Stage.BUILD: "report this with the log to ncnn-peakmem",
    Stage.INSPECT: "export the model again as float32 ONNX, with its external data files beside it",
    Stage.SIMPLIFY: "export the model again without what onnxsim stumbles over, or with other `input_shapes`",
    Stage.CONVERT: "replace what the log names, or convert the model otherwise and give .param and .bin",
    Stage.CHECK: "replace the operator, or convert the model otherwise and give .param and .bin",
    Stage.DESCRIBE: "give a ncnn text .param file, as pnnx writes it, and the .bin that belongs to it",
    Stage.HALVE: "give fp32 weights, or leave the precision out",
    Stage.QUANTIZE: "correct what it names, or give a table of scales as `calibration` in models.yaml",
    Stage.COMPARE: "report this with the log to ncnn-peakmem",
    Stage.CACHE: "make room there, or choose another folder with the variable NCNN_PEAKMEM_CACHE_DIR",
}


class ConversionError(ValueError):
    """A network that has no usable ncnn files: which, at which stage, why, and what to do next."""

    def __init__(
        self,
        network: str,
        stage: Stage,
        cause: str,
        advice: str = "",
        log: Path | None = None,
        tail: tuple[str, ...] = (),
    ) -> None:
        super().__init__(network, stage, cause, advice, log, tail)
        self.network = network
        self.stage = stage
        self.cause = cause
        self.advice = advice or stage.advice
        self.log = log
        self.tail = tail

    def __str__(self) -> str:
        lines = [f"{self.network}: {self.stage} failed: {self.cause}"]
        lines += [f"  | {line}" for line in self.tail]
        if self.log:
            lines.append(f"  log   {self.log}")
        lines.append(f"  next  {self.advice}")
        return "\n".join(lines)
