"""How near a model's outputs are to another's: `python -m ncnn_peakmem.conversion.fidelity`.

Both run on generated inputs that no calibration has seen. A process of its own, because ncnn may crash.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt

from ncnn_peakmem import param_file
from ncnn_peakmem.conversion.bench import refuse
from ncnn_peakmem.conversion.quantization import generated_input
from ncnn_peakmem.conversion.quantization.error import QuantizationError
from ncnn_peakmem.conversion.quantization.input_option import InputOption
from ncnn_peakmem.conversion.quantization.runner import Runner
from ncnn_peakmem.network import InputBlob
from ncnn_peakmem.param_file import ParamFileError

MODULE = "ncnn_peakmem.conversion.fidelity"

_FILE = click.Path(path_type=Path, exists=True)


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How near one output is to the reference's over several inputs; 1 is the same.

    `cosine` is the mean over the inputs, `worst` the least of them. `centred` is told after the reference's
    mean output was subtracted from both: a network that answers much the same to everything has a cosine near
    1 even where nothing is left of the differences. None if there are none.
    """

    output: str
    inputs: int
    cosine: float
    worst: float
    centred: float | None


def compare(
    reference: tuple[Path, Path], other: tuple[Path, Path], blobs: Sequence[InputBlob], count: int
) -> tuple[Fidelity, ...]:
    """Run two models, each a .param and a .bin, and tell the fidelity of each output.

    Outputs that are of another size for one input than for another are left out: numbers of theirs that
    stand at the same place need not be about the same thing.
    """
    graph = param_file.read(reference[0])
    listing = graph.detections()
    wanted = tuple(name for name in graph.outputs() if name not in listing)
    if missing := set(wanted) - set(param_file.read(other[0]).outputs()):
        raise QuantizationError(f"{other[0]} has no output {', '.join(sorted(missing))}")
    runners = [Runner(*files) for files in (reference, other)]
    answers: dict[str, list[list[npt.NDArray[np.float64]]]] = {name: [[], []] for name in wanted}
    for number in range(count):
        inputs = generated_input.unseen(number, blobs, graph)
        for side, runner in enumerate(runners):
            for name, values in runner.blobs(inputs, wanted):
                answers[name][side].append(values.astype(np.float64).ravel())
    return tuple(
        fidelity(name, np.array(sides[0]), np.array(sides[1]))
        for name, sides in answers.items()
        if len({values.size for side in sides for values in side}) == 1
    )


def fidelity(output: str, reference: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> Fidelity:
    """The fidelity of one output; a row of each array is what one input gave."""
    cosines = np.array([_cosine(*pair) for pair in zip(reference, other, strict=True)])
    mean = reference.mean(axis=0)
    varies = len(reference) > 1 and not np.allclose(reference, mean, rtol=1e-6, atol=0)
    centred = _cosine((reference - mean).ravel(), (other - mean).ravel()) if varies else None
    return Fidelity(output, len(reference), float(cosines.mean()), float(cosines.min()), centred)


def _cosine(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """1 for two that are all zero, 0 where only one is, or holds what is no number."""
    lengths = float(np.linalg.norm(one)), float(np.linalg.norm(other))
    if not any(lengths):
        return 1.0
    cosine = float(one @ other) / (lengths[0] * lengths[1]) if all(lengths) else 0.0
    return cosine if np.isfinite(cosine) else 0.0


@click.command()
@click.argument("reference_param", type=_FILE)
@click.argument("reference_bin", type=_FILE)
@click.argument("param", type=_FILE)
@click.argument("weights", metavar="BIN", type=_FILE)
@click.option("--input", "blobs", type=InputOption(), multiple=True, required=True, help="in0=3,224,224")
@click.option("--inputs", "count", type=click.IntRange(1), default=8, show_default=True)
@click.option("--result", type=click.Path(path_type=Path), help="write the result there, not to stdout")
def main(
    reference_param: Path,
    reference_bin: Path,
    param: Path,
    weights: Path,
    blobs: tuple[InputBlob, ...],
    count: int,
    result: Path | None,
) -> None:
    """Tell how near a model's outputs are to a reference's, as JSON."""
    try:
        found = compare((reference_param, reference_bin), (param, weights), blobs, count)
        text = json.dumps([asdict(one) for one in found], indent=1)
        if result:
            result.write_text(f"{text}\n", encoding="utf-8")
        else:
            click.echo(text)
    except (QuantizationError, ParamFileError) as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"{error.filename or result}: {error.strerror}")


if __name__ == "__main__":
    main(prog_name=f"python -m {MODULE}")
