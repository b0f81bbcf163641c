"""Calibration data from a folder: .npy arrays and images, in the order of their names."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ncnn_peakmem import bounded_file
from ncnn_peakmem.conversion.quantization.error import QuantizationError
from ncnn_peakmem.conversion.quantization.scale import Floats
from ncnn_peakmem.network import InputBlob, Shape

_ARRAY, _PORTABLE, _COMPRESSED = {".npy"}, {".pgm", ".ppm"}, {".jpeg", ".jpg", ".png"}
_KINDS = _ARRAY | _PORTABLE | _COMPRESSED
_MOST_BYTES = 1 << 30
_CHANNELS = {b"P5": 1, b"P6": 3}
_PORTABLE_HEAD = re.compile(rb"(P[56])(?:\s+|\s*#[^\n]*\n)+(\d{1,6})\s+(\d{1,6})\s+(\d{1,5})\s")
# What networks trained on ImageNet are given; half and a quarter for a single channel.
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
_GREY_MEAN, _GREY_DEVIATION = np.float32(0.5), np.float32(0.25)


def files(folder: Path, blobs: Sequence[InputBlob], most: int) -> tuple[Mapping[str, Path], ...]:
    """The files of up to `most` runs: for each, one file an input.

    Those of a network with several inputs lie in a folder each, named as the input's blob. Raises
    QuantizationError where there are none, or not as many for each input.
    """
    places = {blob.name: folder / blob.name if len(blobs) > 1 else folder for blob in blobs}
    found = {name: _files(place) for name, place in places.items()}
    counts = {name: len(paths) for name, paths in found.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{count} for {name}" for name, count in counts.items())
        raise QuantizationError(f"{folder}: there must be as many files for each input: {told}")
    runs = zip(*found.values(), strict=True)
    return tuple(dict(zip(found, paths, strict=True)) for paths in runs)[:most]


def read(path: Path, shape: Shape) -> Floats:
    """The values of a file for an input of this shape. Raises QuantizationError, which begins with its name.

    An array may have a batch axis of 1 before its own. An image must have the input's height and width; its
    values are normalized as for networks trained on ImageNet. Who needs it otherwise gives arrays.
    """
    if path.suffix.lower() in _ARRAY:
        values = _array(path)
        if values.shape == (1, *shape):
            values = values[0]
    else:
        values = _normalized(_image(path, shape))
    if values.shape != shape:
        raise QuantizationError(f"{path}: has the shape {list(values.shape)}; the input's is {list(shape)}")
    if not np.isfinite(values).all():
        raise QuantizationError(f"{path}: holds numbers that are not finite")
    return np.ascontiguousarray(values, np.float32)


def _files(folder: Path) -> Sequence[Path]:
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in _KINDS)
    except OSError as error:
        raise QuantizationError(f"{folder}: cannot be read: {error.strerror}") from error
    if not found:
        raise QuantizationError(f"{folder}: holds no calibration data ({', '.join(sorted(_KINDS))})")
    return found


def _array(path: Path) -> npt.NDArray[Any]:
    try:
        # Mapped, so that a hostile header cannot ask for more than the file has.
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        cause = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise QuantizationError(f"{path}: cannot be read as an array: {cause}") from error
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        raise QuantizationError(f"{path}: is no array of numbers")
    return values


def _image(path: Path, shape: Shape) -> npt.NDArray[np.uint8]:
    """Rows of pixels with 1 or 3 channels, whichever the input has."""
    if len(shape) != 3 or shape[0] not in _CHANNELS.values():
        raise QuantizationError(
            f"{path}: an image fits no input of the shape {list(shape)}; give .npy arrays"
        )
    if path.suffix.lower() in _PORTABLE:
        return _portable(path)
    try:
        pillow = importlib.import_module("PIL.Image")
    except ImportError:
        raise QuantizationError(
            f"{path}: reading it needs Pillow: run `pip install pillow`, or give .npy or .ppm files"
        ) from None
    try:
        with pillow.open(path) as image:
            pixels = np.asarray(image.convert("RGB" if shape[0] == 3 else "L"), np.uint8)
    except (OSError, ValueError, SyntaxError, pillow.DecompressionBombError) as error:
        raise QuantizationError(f"{path}: cannot be read as an image: {error}") from error
    return pixels.reshape(*pixels.shape[:2], shape[0])


def _portable(path: Path) -> npt.NDArray[np.uint8]:
    try:
        content = bounded_file.read(path, _MOST_BYTES)
    except bounded_file.UnreadableFile as error:
        raise QuantizationError(f"{path}: {error}") from error
    head = _PORTABLE_HEAD.match(content)
    if not head or int(head[4]) != 255:
        raise QuantizationError(f"{path}: is no binary PGM or PPM image of 8 bits a value")
    channels, width, height = _CHANNELS[head[1]], int(head[2]), int(head[3])
    count = height * width * channels
    if len(content) - head.end() < count:
        raise QuantizationError(f"{path}: is cut short: {height}x{width} pixels take {count} bytes")
    return np.frombuffer(content, np.uint8, count, head.end()).reshape(height, width, channels)


def _normalized(pixels: npt.NDArray[np.uint8]) -> Floats:
    values = pixels.astype(np.float32) / np.float32(255)
    if pixels.shape[2] == 1:
        values = (values - _GREY_MEAN) / _GREY_DEVIATION
    else:
        values = (values - _MEAN) / _DEVIATION
    return np.moveaxis(values, 2, 0)


def each(runs: Sequence[Mapping[str, Path]], blobs: Sequence[InputBlob]) -> Iterator[Mapping[str, Floats]]:
    """The inputs of each run, read when they are wanted."""
    for run in runs:
        yield {blob.name: read(run[blob.name], blob.shape) for blob in blobs}
