"""The arrays that each type of layer reads from its `.bin`, as `load_model` of its file in ncnn does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ncnn_peakmem.model_bin.slot import Kind, Slot
from ncnn_peakmem.param_file import Layer


def slots(layer: Layer) -> tuple[Slot, ...]:
    """The arrays of a layer, from its line in the `.param` alone; none for a type that is not known.

    `param_file.ParameterError` where a parameter is not the integer that it should be.
    """
    rule = _RULES.get(layer.type)
    return tuple(rule(layer)) if rule else ()


_Slots = Iterator[Slot]


def _tagged(layer: Layer, role: str, count: int, kind: Kind = Kind.WEIGHT) -> Slot:
    return Slot(layer.name, role, count, tagged=True, kind=kind)


def _raw(layer: Layer, role: str, count: int, kind: Kind = Kind.WEIGHT) -> Slot:
    return Slot(layer.name, role, count, tagged=False, kind=kind)


def _bias(layer: Layer, count: int, role: str = "bias") -> Slot:
    return _raw(layer, role, count, Kind.BIAS)


def _scales(layer: Layer, role: str, count: int = 1) -> Slot:
    return _raw(layer, role, count, Kind.SCALE)


def _weight_and_bias(layer: Layer, weight_id: int = 6, bias_id: int = 5) -> _Slots:
    yield _tagged(layer, "weight", layer.integer(weight_id))
    if layer.integer(bias_id):
        yield _bias(layer, layer.integer(0))


def _unless_given(flag: int) -> Callable[[Layer], _Slots]:
    """Weights that may come as a blob instead: another layer's."""

    def rule(layer: Layer) -> _Slots:
        if not layer.integer(flag):
            yield from _weight_and_bias(layer)

    return rule


def _convolution(layer: Layer) -> _Slots:
    if layer.integer(19):
        return
    yield from _weight_and_bias(layer)
    if term := layer.integer(8):
        yield _scales(layer, "weight scales", layer.integer(0))
        yield _scales(layer, "bottom scale")
        if term > _REQUANTIZES:
            yield _scales(layer, "top scale")


def _convolution_depth_wise(layer: Layer) -> _Slots:
    if layer.integer(19):
        return
    yield from _weight_and_bias(layer)
    term = layer.integer(8)
    if term % _REQUANTIZES in {1, 2} and term // _REQUANTIZES in {0, 1}:
        yield _scales(layer, "weight scales", layer.integer(7, 1) if term % _REQUANTIZES == 1 else 1)
        yield _scales(layer, "bottom scale")
    if term > _REQUANTIZES:
        yield _scales(layer, "top scale")


def _inner_product(layer: Layer) -> _Slots:
    yield from _weight_and_bias(layer, 2, 1)
    if layer.integer(8):
        yield _scales(layer, "weight scales", layer.integer(0))
        yield _scales(layer, "bottom scale")


def _embed(layer: Layer) -> _Slots:
    yield from _weight_and_bias(layer, 3, 2)
    if layer.integer(18):
        yield _scales(layer, "weight scale")


def _batch_norm(layer: Layer) -> _Slots:
    channels = layer.integer(0)
    for role in ("slope", "mean", "variance"):
        yield _raw(layer, role, channels)
    yield _bias(layer, channels)


def _norm(size_id: int, affine_id: int, *, biased: bool = True) -> Callable[[Layer], _Slots]:
    def rule(layer: Layer) -> _Slots:
        if layer.integer(affine_id, 1):
            yield _raw(layer, "weight", layer.integer(size_id))
            if biased:
                yield _bias(layer, layer.integer(size_id))

    return rule


def _scale(layer: Layer) -> _Slots:
    factors = layer.integer(0)
    if factors == _FROM_A_BLOB:
        return
    yield _raw(layer, "weight", factors)
    if layer.integer(1):
        yield _bias(layer, factors)


def _gemm(layer: Layer) -> _Slots:
    m, n, k = (layer.integer(param_id) for param_id in (7, 8, 9))
    constant_a, constant_b = layer.integer(4) == 1, layer.integer(5) == 1
    term = layer.integer(18)
    blocks = _Blocks.of(term)
    if constant_a:
        yield _tagged(layer, "A", m * k)
    if constant_b:
        yield _tagged(layer, "B", n * (blocks.packed(k) if blocks else k))
    added = {0: 1, 1: m, 2: m, 3: m * n, 4: n}.get(layer.integer(10))
    if layer.integer(6) == 1 and added is not None:
        yield _tagged(layer, "C", added, Kind.BIAS)
    if blocks:
        yield _scales(layer, "B scales", n * blocks.number(k))
        if blocks.input_scales:
            yield _scales(layer, "B input scales", k)
    elif term:
        if constant_a:
            yield _scales(layer, "A scales", m)
        if constant_b:
            yield _scales(layer, "B scale")


def _attention(layer: Layer) -> _Slots:
    embedding = layer.integer(0)
    query = layer.integer(2) // embedding if embedding else 0
    key, value = layer.integer(3, embedding), layer.integer(4, embedding)
    term = layer.integer(18)
    blocks = _Blocks.of(term)
    # Each with the numbers it makes and those it makes each of them from.
    matrices = {
        "query": (embedding, query),
        "key": (embedding, key),
        "value": (embedding, value),
        "output": (query, embedding),
    }
    for name, (made, read) in matrices.items():
        yield _tagged(layer, f"{name} weight", made * (blocks.packed(read) if blocks else read))
        yield _bias(layer, made, f"{name} bias")
    if blocks:
        for name, (made, read) in matrices.items():
            yield _scales(layer, f"{name} scales", made * blocks.number(read))
        if blocks.input_scales:
            for name, (_, read) in matrices.items():
                yield _scales(layer, f"{name} input scales", read)
    elif term:
        for name in ("query", "key", "value"):
            yield _scales(layer, f"{name} scales", embedding)
        yield _scales(layer, "output scale")


def _recurrent(gates: int, biases: int) -> Callable[[Layer], _Slots]:
    def rule(layer: Layer) -> _Slots:
        made = layer.integer(0)
        directions = 2 if layer.integer(2) == 2 else 1
        # Only an LSTM may hold more, or less, than it gives.
        held = layer.integer(3, made) if layer.type == "LSTM" else made
        rows = held * gates * directions
        yield _tagged(layer, "input weight", layer.integer(1) // rows * rows if rows else 0)
        yield _tagged(layer, "bias", held * biases * directions, Kind.BIAS)
        yield _tagged(layer, "hidden weight", made * rows)
        if held != made:
            yield _tagged(layer, "projection weight", held * made * directions)
        if layer.integer(8):
            yield _scales(layer, "input scales", rows)
            yield _scales(layer, "hidden scales", rows)

    return rule


def _memory_data(layer: Layer) -> _Slots:
    width, height, depth, channels = (layer.integer(param_id) for param_id in (0, 1, 11, 2))
    if depth:
        count = width * height * depth * channels
    elif channels:
        count = width * height * channels
    else:
        count = width * height if height else width
    if depth or channels or height or width:
        yield Slot(layer.name, "data", count, tagged=layer.integer(21, 1) == 0)


def _quantize(layer: Layer) -> _Slots:
    yield _scales(layer, "scales", layer.integer(0, 1))


def _dequantize(layer: Layer) -> _Slots:
    yield _scales(layer, "scales", layer.integer(0, 1))
    if count := layer.integer(1):
        yield _bias(layer, count)


def _requantize(layer: Layer) -> _Slots:
    yield _scales(layer, "bottom scales", layer.integer(0, 1))
    yield _scales(layer, "top scales", layer.integer(1, 1))
    if count := layer.integer(2):
        yield _bias(layer, count)


def _padding(layer: Layer) -> _Slots:
    if count := layer.integer(6):
        yield _bias(layer, count, "pad values")


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Weights of a few bits, with a scale for each block of a row."""

    bits: int
    length: int
    input_scales: bool

    @classmethod
    def of(cls, term: int) -> _Blocks | None:
        """What a layer's `quantize_term` means, if it means blocks: bits, then two digits."""
        bits, digits = divmod(term, 100)
        form, length = divmod(digits, 10)
        if bits not in {4, 6, 8} or form > 1 or length not in _BLOCK_LENGTHS:
            return None
        return cls(bits, _BLOCK_LENGTHS[length], form == 1)

    def packed(self, row: int) -> int:
        """The bytes of a row."""
        return -(-row * self.bits // 8)

    def number(self, row: int) -> int:
        """The blocks of a row."""
        return -(-row // self.length)


_BLOCK_LENGTHS = {0: 32, 1: 64, 2: 128}
# Added to the kind of int8 where the layer's output becomes int8 as well.
_REQUANTIZES = 100
_FROM_A_BLOB = -233

_RULES: Mapping[str, Callable[[Layer], _Slots]] = {
    "BatchNorm": _batch_norm,
    "Bias": lambda layer: iter([_bias(layer, layer.integer(0))]),
    "Convolution": _convolution,
    "Convolution1D": _unless_given(19),
    "Convolution3D": _weight_and_bias,
    "ConvolutionDepthWise": _convolution_depth_wise,
    "ConvolutionDepthWise1D": _unless_given(19),
    "ConvolutionDepthWise3D": _weight_and_bias,
    "Deconvolution": _unless_given(28),
    "Deconvolution1D": _unless_given(28),
    "Deconvolution3D": _weight_and_bias,
    "DeconvolutionDepthWise": _unless_given(28),
    "DeconvolutionDepthWise1D": _unless_given(28),
    "DeconvolutionDepthWise3D": _weight_and_bias,
    "DeformableConv2D": _weight_and_bias,
    "Dequantize": _dequantize,
    "Embed": _embed,
    "GRU": _recurrent(gates=3, biases=4),
    "Gemm": _gemm,
    "GroupNorm": _norm(1, 3),
    "InnerProduct": _inner_product,
    "InstanceNorm": _norm(0, 2),
    "LSTM": _recurrent(gates=4, biases=4),
    "LayerNorm": _norm(0, 2),
    "MemoryData": _memory_data,
    "MultiHeadAttention": _attention,
    "Normalize": lambda layer: iter([_raw(layer, "weight", layer.integer(3))]),
    "PReLU": lambda layer: iter([_raw(layer, "slope", layer.integer(0))]),
    "Padding": _padding,
    "Quantize": _quantize,
    "RMSNorm": _norm(0, 2, biased=False),
    "RNN": _recurrent(gates=1, biases=1),
    "Requantize": _requantize,
    "Scale": _scale,
}

_WITHOUT = """
AbsVal ArgMax BNLL BinaryOp CELU Cast Clip Concat CopyTo Crop CumulativeSum DeepCopy DetectionOutput Diag
Dropout ELU Einsum Eltwise Erf Exp ExpandDims Flatten Flip Fold GELU GLU GridSample HardSigmoid HardSwish
Input Interp InverseSpectrogram LRN Log MVN MatMul Mish Noop PSROIPooling Packing Permute PixelShuffle
Pooling Pooling1D Pooling3D Power PriorBox Proposal ROIAlign ROIPooling ReLU Reduction Reorg Reshape
RotaryEmbed SDPA SELU SPP ShuffleChannel Shrink Sigmoid Slice Softmax Softplus Spectrogram Split Squeeze
StatisticsPooling Swish TanH Threshold Tile UnaryOp Unfold YoloDetectionOutput Yolov3DetectionOutput
"""
KNOWN = frozenset(_RULES) | frozenset(_WITHOUT.split())
"""The types of which it is known what they read; any other may read arrays that nobody can tell."""
