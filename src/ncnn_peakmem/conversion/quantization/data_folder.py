"""Calibration data out of files: .npy arrays and images."""

from __future__ import annotations

import importlib
import re
import tokenize
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ncnn_peakmem import bounded_file
from ncnn_peakmem.conversion.quantization.data_files import ARRAY, PORTABLE
from ncnn_peakmem.conversion.quantization.error import QuantizationError
from ncnn_peakmem.conversion.quantization.scale import Floats
from ncnn_peakmem.network import InputBlob, Shape

_MOST_BYTES = 1 << 30
_CHANNELS = {b"P5": 1, b"P6": 3}
_MOST_HEAD_BYTES = 1 << 12
_BETWEEN = rb"(?:\s|#[^\n]*\n)+"
_PORTABLE_HEAD = re.compile(
    _BETWEEN.join((rb"(P[56])", rb"(\d{1,6})", rb"(\d{1,6})", rb"(\d{1,5})")) + rb"\s"
)
# The header of an array is text in the syntax of Python, and numpy passes on most of what reading it raises.
_UNREADABLE_ARRAY = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, ArithmeticError),
    *(SyntaxError, tokenize.TokenError, MemoryError, RecursionError),
)
# What networks trained on ImageNet are given; half and a quarter for a single channel.
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
_GREY_MEAN, _GREY_DEVIATION = np.float32(0.5), np.float32(0.25)


def read(path: Path, shape: Shape, *, indices: bool = False) -> Floats:
    """The values of a file for an input of this shape. Raises QuantizationError, which begins with its name.

    An array may have a batch axis of 1 before its own. An image must have the input's height and width; its
    values are normalized as for networks trained on ImageNet. Who needs it otherwise gives arrays. Integers
    become floats, unless the input takes `indices`: those ncnn reads as the integers that they are.
    """
    if path.suffix.lower() in ARRAY:
        values = _array(path)
        if values.shape == (1, *shape):
            values = values[0]
    else:
        values = _normalized(_image(path, shape))
    if values.shape != shape:
        raise QuantizationError(f"{path}: has the shape {list(values.shape)}; the input's is {list(shape)}")
    if indices:
        return _indices(path, values)
    with np.errstate(over="ignore"):
        floats = np.ascontiguousarray(values, np.float32)
    if not np.isfinite(floats).all():
        raise QuantizationError(f"{path}: holds numbers that are not finite as float32")
    return floats


def _indices(path: Path, values: npt.NDArray[Any]) -> Floats:
    if values.dtype.kind not in "iu":
        raise QuantizationError(f"{path}: the input takes indices; give an array of integers")
    integers = np.ascontiguousarray(values, np.int32)
    if not np.array_equal(integers, values):
        raise QuantizationError(f"{path}: holds indices that are no int32")
    return integers.view(np.float32)


def _array(path: Path) -> npt.NDArray[Any]:
    try:
        # Mapped, so that a hostile header cannot ask for more than the file has.
        with np.errstate(over="ignore"):
            values = np.load(path, mmap_mode="r", allow_pickle=False)
    except _UNREADABLE_ARRAY as error:
        cause = error.strerror if isinstance(error, OSError) and error.strerror else error
        words = " ".join(str(cause).split())
        raise QuantizationError(f"{path}: cannot be read as an array: {words:.200}") from error
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        raise QuantizationError(f"{path}: is no array of numbers")
    return values


def _image(path: Path, shape: Shape) -> npt.NDArray[np.uint8]:
    """Rows of pixels with 1 or 3 channels, whichever the input has."""
    if len(shape) != 3 or shape[0] not in _CHANNELS.values():
        raise QuantizationError(
            f"{path}: an image fits no input of the shape {list(shape)}; give .npy arrays"
        )
    if path.suffix.lower() in PORTABLE:
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
    head = _PORTABLE_HEAD.match(content, 0, _MOST_HEAD_BYTES)
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


def each(
    runs: Sequence[Mapping[str, Path]], blobs: Sequence[InputBlob], indices: Collection[str]
) -> Iterator[Mapping[str, Floats]]:
    """The inputs of each run, read when they are wanted; `indices` names those that take indices."""
    for run in runs:
        yield {blob.name: read(run[blob.name], blob.shape, indices=blob.name in indices) for blob in blobs}
