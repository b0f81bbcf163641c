"""The table of scales that ncnn2table writes and ncnn2int8 reads, and this package does both.

Each layer has two lines: `<layer>_param_0` with the scales of its weights, and `<layer>` with that of what
it reads.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ncnn_peakmem import bounded_file
from ncnn_peakmem.conversion.quantization.error import QuantizationError
from ncnn_peakmem.conversion.quantization.scale import IDLE, Floats
from ncnn_peakmem.conversion.quantization.target import Target
from ncnn_peakmem.param_file import Graph

_WEIGHTS = re.compile(r"(.+)_param_(\d+)")
# Some hundred thousand output channels.
_MOST_BYTES = 32 << 20
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Scales:
    """The scales of one layer: one for each part of its weights, and that of the blob it reads."""

    weights: Floats
    bottom: np.float32


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    scales: Floats


def read(path: Path, graph: Graph, targets: Sequence[Target]) -> Mapping[str, Scales]:
    """The scales of each layer that the table gives some; a layer that it leaves out stays float.

    Lines about layers that this package does not quantize are passed over. Raises QuantizationError, which
    begins with `file:line`.
    """
    by_name = {target.layer.name: target for target in targets if target.is_calibrated}
    names = {layer.name for layer in graph.layers}
    weights: dict[str, _Line] = {}
    bottoms: dict[str, _Line] = {}
    for line, key in _lines(path):
        match = _WEIGHTS.fullmatch(key)
        name, found = (match[1], weights) if match and key not in names else (key, bottoms)
        if name not in names:
            raise _error(path, line.number, f"the network has no layer {_shown(name)}")
        if name not in by_name:
            continue
        if name in found:
            raise _error(path, line.number, f"{_shown(key)} is given twice")
        wanted = by_name[name].channels if found is weights else 1
        if len(line.scales) != wanted:
            given = _scale_count(len(line.scales))
            raise _error(path, line.number, f"{_shown(key)} has {given}; the layer takes {wanted}")
        found[name] = line
    for name, line in bottoms.items():
        if name not in weights:
            raise _error(path, line.number, f"layer {_shown(name)} has no line {_shown(f'{name}_param_0')}")
    return {name: Scales(weights[name].scales, line.scales[0]) for name, line in bottoms.items()}


def write(scales: Mapping[str, Scales]) -> str:
    """The text of a table; nine digits carry any float32."""
    weights = (f"{name}_param_0 {_numbers(of.weights)}" for name, of in scales.items())
    bottoms = (f"{name} {_numbers([of.bottom])}" for name, of in scales.items())
    return "".join(f"{line}\n" for line in (*weights, *bottoms))


def _numbers(scales: Floats | Sequence[np.float32]) -> str:
    return " ".join(f"{scale:.9g}" for scale in scales)


def _lines(path: Path) -> Iterator[tuple[_Line, str]]:
    try:
        text = bounded_file.read(path, _MOST_BYTES).decode()
    except bounded_file.UnreadableFile as error:
        raise QuantizationError(f"{path}: {error}") from error
    except UnicodeDecodeError as error:
        raise QuantizationError(f"{path}: not text; give a table as ncnn2table writes it") from error
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if words:
            scales = [_scale(path, number, word) for word in words[1:]]
            yield _Line(number, np.array(scales, np.float32)), words[0]


def _scale(path: Path, number: int, word: str) -> np.float32:
    try:
        scale = float(word)
    except ValueError:
        raise _error(path, number, f"{_shown(word)} is not a number") from None
    # ncnn2table divides by the largest weight, and writes this where all of a channel are zero.
    if scale == math.inf:
        return IDLE
    if not 0 < scale <= np.finfo(np.float32).max:
        raise _error(path, number, f"{_shown(word)} is no scale; scales are above zero")
    return np.float32(scale)


def _scale_count(count: int) -> str:
    return f"{count} scale" if count == 1 else f"{count} scales"


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}...")


def _error(path: Path, line: int, what: str) -> QuantizationError:
    return QuantizationError(f"{path}:{line}: {what}")
