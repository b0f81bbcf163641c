"""How near files of another precision come to the fp32 ones, on inputs that nothing was calibrated on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ncnn_peakmem import bounded_file
from ncnn_peakmem.conversion.bench import Bench, Progress
from ncnn_peakmem.conversion.cache import Cache
from ncnn_peakmem.conversion.error import Stage
from ncnn_peakmem.conversion.quantization.command import input_arguments
from ncnn_peakmem.network import ModelFiles
from ncnn_peakmem.owned_folder import ScratchFolder

_FIDELITY = "ncnn_peakmem.conversion.fidelity"
_RESULT = "fidelity.json"
_MOST_RESULT_BYTES = 1 << 20
_TIME_LIMIT = 600.0


@dataclass(frozen=True, slots=True)
class Likeness:
    """The cosine between two models' values of one output: the mean over `inputs` inputs, and the worst.

    `centred` is that of their differences from the mean output, None where all inputs give the same.
    """

    output: str
    inputs: int
    cosine: float
    worst: float
    centred: float | None


_LIKENESSES = TypeAdapter(tuple[Likeness, ...])


def compare(
    network: str, fp32: ModelFiles, other: ModelFiles, cache: Cache, progress: Progress
) -> tuple[Likeness, ...]:
    """Run both and tell of each output how near it is. Raises ConversionError."""
    files = [file.absolute() for model in (fp32, other) for file in (model.param, model.bin) if file]
    with ScratchFolder() as scratch:
        bench = Bench(network, scratch.path, cache.root / "logs" / other.digest, _TIME_LIMIT, progress)
        options = [*input_arguments(fp32.inputs), "--result", _RESULT]
        log = bench.python(Stage.COMPARE, _FIDELITY, *files, *options)
        try:
            result = bounded_file.read(Path(scratch.path, _RESULT), _MOST_RESULT_BYTES)
            return _LIKENESSES.validate_json(result)
        except (bounded_file.UnreadableFile, ValidationError) as error:
            raise bench.error(Stage.COMPARE, f"what it tells cannot be read: {error}", log) from error
