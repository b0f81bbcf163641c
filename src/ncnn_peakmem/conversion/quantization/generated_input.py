"""Generated inputs: what a network may be given when nobody has data for it.

Photographs are smooth: their amplitude falls with frequency. White noise averages out in the first
convolution, so that a network calibrated on it alone clips the activations that real images make; a
constant picture shows one value a channel. So these inputs lie in between, from almost white to very smooth,
of all the contrasts and brightnesses that normalized images have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ncnn_peakmem.conversion.quantization.scale import Floats
from ncnn_peakmem.conversion.quantization.target import origins
from ncnn_peakmem.network import InputBlob, Shape
from ncnn_peakmem.param_file import Graph

_EMBED, _VOCABULARY = "Embed", 1
_CALIBRATION, _UNSEEN = 0, 1
_SMOOTHNESS = (0.0, 2.0)
_CONTRAST = (0.25, 1.5)
_BRIGHTNESS = 0.5
_LARGEST = 3.0
_SMALLEST_PICTURE = 8

Inputs = Mapping[str, Floats]


def calibrating(number: int, blobs: Sequence[InputBlob], graph: Graph) -> Inputs:
    """The inputs of one run of the network; each number gives its own, always the same."""
    return _inputs(_CALIBRATION, number, blobs, graph)


def unseen(number: int, blobs: Sequence[InputBlob], graph: Graph) -> Inputs:
    """As `calibrating`, with other values for every number."""
    return _inputs(_UNSEEN, number, blobs, graph)


def vocabularies(graph: Graph) -> Mapping[str, int]:
    """The blobs that hold indices of words, and of how many words: what layers of type Embed read."""
    origin = origins(graph)
    return {
        origin[blob]: layer.integer(_VOCABULARY)
        for layer in graph.layers
        if layer.type == _EMBED
        for blob in layer.bottoms
    }


def _inputs(series: int, number: int, blobs: Sequence[InputBlob], graph: Graph) -> Inputs:
    random = np.random.default_rng([series, number])
    known = vocabularies(graph)
    return {
        blob.name: _tokens(random, blob.shape, known[blob.name])
        if blob.name in known
        else _values(random, blob.shape)
        for blob in blobs
    }


def _tokens(random: np.random.Generator, shape: Shape, vocabulary: int) -> Floats:
    """Indices of words. ncnn takes them for integers, whatever the blob's type."""
    return random.integers(0, max(vocabulary, 1), shape).astype(np.int32).view(np.float32)


def _values(random: np.random.Generator, shape: Shape) -> Floats:
    is_picture = len(shape) > 2 and min(shape[-2:]) >= _SMALLEST_PICTURE
    values = _picture(random, shape) if is_picture else random.standard_normal(shape)
    contrast = np.exp(random.uniform(*np.log(_CONTRAST)))
    brightness = random.normal(0, _BRIGHTNESS)
    return np.asarray(np.clip(values * contrast + brightness, -_LARGEST, _LARGEST), np.float32)


def _picture(random: np.random.Generator, shape: Shape) -> npt.NDArray[np.float64]:
    """Noise of unit variance, whose amplitude falls with the frequency; its channels go together."""
    height, width = shape[-2:]
    grey, colour = random.standard_normal((height, width)), random.standard_normal(shape)
    saturation = random.uniform(0, 1)
    spectrum = np.fft.rfft2((1 - saturation) * grey + saturation * colour)
    frequency = np.hypot(np.fft.fftfreq(height)[:, np.newaxis], np.fft.rfftfreq(width))
    frequency[0, 0] = 1 / max(height, width)
    smooth = np.fft.irfft2(spectrum / frequency ** random.uniform(*_SMOOTHNESS), s=(height, width))
    return np.asarray((smooth - smooth.mean()) / smooth.std())
