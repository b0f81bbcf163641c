"""ncnn's text `.param` file, read and written as a graph of layers."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ncnn_peakmem import bounded_file
from ncnn_peakmem.network import Shape

ParamValue = int | float | str | tuple[int | float, ...]

_MAGIC = "7767517"
_INPUT = "Input"
_DETECTING = frozenset({"DetectionOutput", "Proposal", "YoloDetectionOutput", "Yolov3DetectionOutput"})
# Parameter ids of an Input layer's sizes, outermost first: channels, depth, height, width.
_INPUT_SIZES = {"c": 2, "d": 11, "h": 1, "w": 0}
_KNOWN_SIZES = ("w", "hw", "chw", "cdhw")

# Far above any real network, and low enough that a hostile file costs seconds and megabytes.
_MAX_FILE_BYTES = 16 << 20
_MAX_LINE_CHARACTERS = 1 << 20
_MAX_COUNT = 100_000

# From ncnn's paramdict: ids per layer, and the characters it reads of a number and of a string.
_MAX_ID = 32
_MAX_NUMBER_CHARACTERS = 15
_MAX_STRING_CHARACTERS = 255
_ARRAY_ID = -23300

_PARAM = re.compile(r'\s*([+-]?\d{1,6})=("[^"]*"|[^\s"]+)(?=\s|$)', re.ASCII)
_COUNT = re.compile(r"\d+", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
# ncnn takes a number for a float by its point or its exponent.
_FLOAT = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][+-]?\d+)?", re.ASCII)


class ParamFileError(ValueError):
    """A `.param` text that is not a whole, consistent graph; the message begins with `file:line`."""


class ParameterError(ParamFileError, TypeError):
    """A parameter of another kind than its layer reads there; the message names the layer."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: the blobs it reads (bottoms) and makes (tops), and its parameters by id."""

    type: str
    name: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    params: Mapping[int, ParamValue]

    def integer(self, param_id: int, default: int = 0) -> int:
        """A parameter as an integer, or the default where the line leaves it out; ParameterError."""
        value = self.params.get(param_id, default)
        if not isinstance(value, int):
            raise ParameterError(
                f"parameter {param_id} of layer {_shown(self.name)} is {_shown(value)}, not an integer"
            )
        return value


@dataclass(frozen=True, slots=True)
class Graph:
    """A network's layers in the order in which they run."""

    layers: tuple[Layer, ...]

    def inputs(self) -> dict[str, Shape | None]:
        """The blobs of the Input layers; a shape, outermost first, where the layer tells a whole one."""
        return {
            blob: _input_shape(layer) for layer in self.layers if layer.type == _INPUT for blob in layer.tops
        }

    def outputs(self) -> tuple[str, ...]:
        """The computed blobs that no layer reads. An input that nothing reads is no result."""
        read = {blob for layer in self.layers for blob in layer.bottoms}
        return tuple(
            blob for layer in self.layers if layer.type != _INPUT for blob in layer.tops if blob not in read
        )

    def detections(self) -> tuple[str, ...]:
        """The outputs that list what was found: ncnn leaves one empty where nothing was."""
        made = {blob for layer in self.layers if layer.type in _DETECTING for blob in layer.tops}
        return tuple(blob for blob in self.outputs() if blob in made)


def read(path: Path) -> Graph:
    """Read a `.param` file. Raises ParamFileError."""
    try:
        content = bounded_file.read(path, _MAX_FILE_BYTES)
    except bounded_file.UnreadableFile as error:
        raise ParamFileError(f"{path}: {error}") from error
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ParamFileError(f"{path}:{line}: not text; a binary .param.bin cannot be read") from error
    return parse(text, origin=str(path))


def parse(text: str, origin: str = "<param>") -> Graph:
    """Read the text of a `.param` file; `origin` is its name in errors. Raises ParamFileError."""
    return _Parser(text, origin).graph()


def format(graph: Graph) -> str:  # noqa: A001 - reads as param_file.format(graph)
    """Write a graph in the oldest form that holds it; floats keep float32's precision."""
    blobs = sum(len(layer.tops) for layer in graph.layers)
    lines = [_MAGIC, f"{len(graph.layers)} {blobs}", *map(_format_layer, graph.layers)]
    return "\n".join(lines) + "\n"


class _Parser:
    def __init__(self, text: str, origin: str) -> None:
        self._lines = self._meaningful(text)
        self._origin = origin
        self._line = 0
        self._blobs: set[str] = set()

    def graph(self) -> Graph:
        if self._next_line() != _MAGIC:
            raise self._error(f"not a ncnn text .param file: the first line is not {_MAGIC}")
        layer_count, blob_count = self._counts(self._next_line())
        counts_line = self._line
        # ncnn reads as many layers as are announced, and never looks at what follows.
        layers = [self._layer(line) for line in islice(self._lines, layer_count)]
        if len(layers) != layer_count:
            raise self._error(f"the file ends after {len(layers)} layers; it announces {layer_count}")
        if len(self._blobs) > blob_count:
            self._line = counts_line
            raise self._error(f"announces {blob_count} blobs; the layers make {len(self._blobs)}")
        return Graph(tuple(layers))

    def _meaningful(self, text: str) -> Iterator[str]:
        for self._line, line in enumerate(io.StringIO(text), start=1):
            if len(line) > _MAX_LINE_CHARACTERS:
                raise self._error(f"longer than {_MAX_LINE_CHARACTERS} characters")
            if stripped := line.strip():
                yield stripped

    def _next_line(self) -> str:
        return next(self._lines, "")

    def _counts(self, line: str) -> tuple[int, int]:
        words = line.split()
        if len(words) != 2:
            raise self._error(f"expected the layer count and the blob count, got {_shown(line)}")
        return self._count(words[0], "layer"), self._count(words[1], "blob")

    def _count(self, word: str, noun: str) -> int:
        if not _COUNT.fullmatch(word):
            raise self._error(f"the {noun} count {_shown(word)} is not a number")
        if len(word) > len(str(_MAX_COUNT)) or int(word) > _MAX_COUNT:
            raise self._error(f"the {noun} count {_shown(word)} is above {_MAX_COUNT}")
        return int(word)

    def _layer(self, line: str) -> Layer:
        words = line.split(maxsplit=4)
        if len(words) < 4:
            raise self._error(f"expected type, name, bottom count and top count, got {_shown(line)}")
        layer_type, name = words[:2]
        bottom_count, top_count = self._count(words[2], "bottom"), self._count(words[3], "top")
        blob_count = bottom_count + top_count
        blobs = words[4].split(maxsplit=blob_count) if len(words) > 4 else []
        if len(blobs) < blob_count:
            raise self._error(f"layer {_shown(name)} names {len(blobs)} blobs; its counts say {blob_count}")
        params = blobs[blob_count] if len(blobs) > blob_count else ""
        layer = Layer(
            layer_type,
            name,
            bottoms=tuple(blobs[:bottom_count]),
            tops=tuple(blobs[bottom_count:blob_count]),
            params=self._params(params),
        )
        self._connect(layer)
        return layer

    def _connect(self, layer: Layer) -> None:
        for blob in layer.bottoms:
            if blob not in self._blobs:
                raise self._error(
                    f"layer {_shown(layer.name)} reads blob {_shown(blob)}, which no layer above makes"
                )
        for blob in layer.tops:
            if blob in self._blobs:
                raise self._error(f"blob {_shown(blob)} is made twice")
            self._blobs.add(blob)

    def _params(self, text: str) -> dict[int, ParamValue]:
        params: dict[int, ParamValue] = {}
        position = 0
        while position < len(text):
            match = _PARAM.match(text, position)
            if not match:
                raise self._error(f"expected id=value, got {_shown(text[position:].strip())}")
            param_id, value = self._param(int(match[1]), match[2])
            if param_id in params:
                raise self._error(f"parameter {param_id} is given twice")
            params[param_id] = value
            position = match.end()
        return params

    def _param(self, written_id: int, text: str) -> tuple[int, ParamValue]:
        counted = written_id <= _ARRAY_ID
        param_id = _ARRAY_ID - written_id if counted else written_id
        if not 0 <= param_id < _MAX_ID:
            raise self._error(f"parameter id {written_id} is out of range")
        if counted:
            return param_id, self._counted_array(text)
        if text[0] == '"' or text[0].isalpha():
            return param_id, self._string(text.strip('"'))
        if "," in text:
            return param_id, tuple(self._number(item) for item in text.removesuffix(",").split(","))
        return param_id, self._number(text)

    def _counted_array(self, text: str) -> tuple[int | float, ...]:
        count_word, *items = text.split(",")
        if self._count(count_word, "array") != len(items):
            raise self._error(f"the array {_shown(text)} has {len(items)} items; it announces {count_word}")
        return tuple(self._number(item) for item in items)

    def _string(self, text: str) -> str:
        if len(text) > _MAX_STRING_CHARACTERS:
            raise self._error(
                f"ncnn reads strings of up to {_MAX_STRING_CHARACTERS} characters, this one has {len(text)}"
            )
        return text

    def _number(self, text: str) -> int | float:
        if len(text) > _MAX_NUMBER_CHARACTERS:
            raise self._error(f"of {_shown(text)} ncnn would read {_MAX_NUMBER_CHARACTERS} characters only")
        if _INTEGER.fullmatch(text) and -(2**31) <= int(text) < 2**31:
            return int(text)
        if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
            return float(text)
        raise self._error(f"{_shown(text)} is neither a 32-bit integer nor a float")

    def _error(self, what: str) -> ParamFileError:
        return ParamFileError(f"{self._origin}:{max(self._line, 1)}: {what}")


def _input_shape(layer: Layer) -> Shape | None:
    sizes = {axis: layer.params.get(param_id, 0) for axis, param_id in _INPUT_SIZES.items()}
    known = {axis: size for axis, size in sizes.items() if isinstance(size, int) and size > 0}
    return tuple(known.values()) if "".join(known) in _KNOWN_SIZES else None


def _format_layer(layer: Layer) -> str:
    head = f"{layer.type:<24} {layer.name:<24} {len(layer.bottoms)} {len(layer.tops)}"
    params = (_format_param(param_id, value) for param_id, value in layer.params.items())
    return " ".join([head, *layer.bottoms, *layer.tops, *params])


def _format_param(param_id: int, value: ParamValue) -> str:
    match value:
        case tuple():
            # Releases before the bare `id=v,v` form know only the counted one.
            items = [str(len(value)), *map(_format_number, value)]
            return f"{_ARRAY_ID - param_id}={','.join(items)}"
        case str():
            return f'{param_id}="{value}"'
        case _:
            return f"{param_id}={_format_number(value)}"


def _format_number(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    # ncnn's own tools write %e. Nine digits carry any float32, and still fit what ncnn reads.
    usual = f"{value:e}"
    return usual if float(usual) == value else f"{value:.8e}"


def _shown(value: ParamValue) -> str:
    written = repr(value)
    return written if len(written) <= 62 else f"{written[:58]}...{written[-1]}"
