"""Shapes, weights and memory as inferred, beside what ncnn itself makes of the same layers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from ncnn_peakmem import param_file
from ncnn_peakmem.conversion import Cache, convert
from ncnn_peakmem.graph import Graph, GraphError, Makes, build, read
from ncnn_peakmem.graph.shapes import KNOWN
from ncnn_peakmem.network import BuiltIn, InputBlob, Network, Shape
from ncnn_peakmem.networks import TOPOLOGIES

# Loads each network that a line of standard input describes, with zero weights, and tells its blobs' shapes.
CHILD = """\
import ctypes, json, sys, ncnn
address_of = ctypes.pythonapi.PyCapsule_GetPointer
address_of.restype, address_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
taken = read = 0
class Zeros(ncnn.DataReader):
    def read(self, place, size):
        global read
        read += size
        ctypes.memset(address_of(place, None), 0, size)
        return size
class Counter(ncnn.PoolAllocator):
    def fastMalloc(self, size):
        global taken
        taken += 1
        return super().fastMalloc(size)
for line in sys.stdin:
    job = json.loads(line)
    net, counter, shapes, taken, read = ncnn.Net(), Counter(), {}, 0, 0
    # So that nothing but the layers takes memory.
    net.opt.use_packing_layout = False
    net.opt.num_threads = 1
    codes = [net.load_param(job["param"]), net.load_model(Zeros())]
    if codes == [0, 0]:
        extractor = net.create_extractor()
        extractor.set_light_mode(False)
        extractor.set_blob_allocator(counter)
        for name, shape in job["inputs"].items():
            mat = ncnn.Mat(*reversed(shape))
            mat.fill(0.0)
            extractor.input(name, mat)
        for blob in job["blobs"]:
            mat = ncnn.Mat()
            code = extractor.extract(blob, mat, 1)
            sizes = {1: [mat.w], 2: [mat.h, mat.w], 3: [mat.c, mat.h, mat.w], 4: [mat.c, mat.d, mat.h, mat.w]}
            shapes[blob] = None if code else sizes[mat.dims]
        del mat
        extractor.clear()
    in_place = {layer.name: layer.support_inplace for layer in net.layers()}
    told = {"codes": codes, "shapes": shapes, "in_place": in_place, "taken": taken, "read": read}
    print(json.dumps(told), flush=True)
"""


@dataclass(frozen=True)
class Sample:
    """One layer, to be tried on inputs of these shapes; ncnn reads its weights as zeros."""

    inputs: str
    type: str
    params: str = ""
    tops: int = 1

    @property
    def shapes(self) -> list[Shape]:
        return [tuple(map(int, shape.split("x"))) for shape in self.inputs.split()]

    def param(self) -> str:
        given = [f"in{number}" for number in range(len(self.shapes))]
        lines = [f"Input {name} 0 1 {name}" for name in given]
        tops = [f"out{number}" for number in range(self.tops)]
        lines.append(" ".join([self.type, "tried", f"{len(given)} {self.tops}", *given, *tops, self.params]))
        return "\n".join(["7767517", f"{len(lines)} {len(given) + self.tops}", *lines, ""])

    def graph(self) -> Graph:
        blobs = [InputBlob(f"in{number}", shape) for number, shape in enumerate(self.shapes)]
        return build(param_file.parse(self.param()), blobs)


SAMPLES = [
    Sample("3x9x7", "Convolution", "0=4 1=3 5=1 6=108"),
    Sample("3x9x7", "Convolution", "0=4 1=3 11=1 3=2 13=1 4=1 14=0 15=2 6=36"),
    Sample("3x9x8", "Convolution", "0=4 1=3 2=2 3=2 4=-233 6=108"),
    Sample("3x9x8", "Convolution", "0=4 1=2 3=3 4=-234 6=48"),
    Sample("3x9x7 5x3x2x4", "Convolution", "0=5 1=4 11=2 4=1 19=1"),
    Sample("24", "Convolution", "0=5 1=1 5=1 6=120"),
    Sample("6x9x7", "ConvolutionDepthWise", "0=6 1=3 3=2 4=1 5=1 6=54 7=6"),
    Sample("6x9x7", "ConvolutionDepthWise", "0=4 1=3 6=108 7=2"),
    Sample("3x9", "Convolution1D", "0=4 1=3 3=2 4=1 6=36"),
    Sample("4x9", "ConvolutionDepthWise1D", "0=4 1=3 2=2 6=12 7=4"),
    Sample("3x5x4", "Deconvolution", "0=4 1=3 3=2 4=1 18=1 5=1 6=108"),
    Sample("3x5x4", "Deconvolution", "0=4 1=3 2=2 3=2 6=108"),
    Sample("3x5x4", "Deconvolution", "0=4 1=4 3=2 4=-233 20=8 21=10 6=192"),
    Sample("4x5x4", "DeconvolutionDepthWise", "0=4 1=2 3=2 14=1 6=16 7=4"),
    Sample("3x9x8", "Pooling", "1=3 2=2"),
    Sample("3x8x9", "Pooling", "1=3 2=2"),
    Sample("3x8x8", "Pooling", "1=3 2=2 5=1"),
    Sample("3x9x8", "Pooling", "0=1 1=3 11=2 2=2 12=3 3=1 13=0 5=1 6=1"),
    Sample("3x9x8", "Pooling", "1=2 2=3 5=2"),
    Sample("3x9x8", "Pooling", "1=3 2=2 5=3"),
    Sample("3x9x8", "Pooling", "0=1 4=1"),
    Sample("3x9x8", "Pooling", "0=1 7=1 8=3 18=-233"),
    Sample("3x9x8", "Pooling", "0=1 7=1 8=-233"),
    Sample("2x3x4", "InnerProduct", "0=5 1=1 2=120"),
    Sample("3x8", "InnerProduct", "0=5 2=40"),
    Sample("1x8", "InnerProduct", "0=5 2=40"),
    Sample("2x4", "InnerProduct", "0=5 2=40"),
    Sample("3 5", "Concat", "0=0"),
    Sample("2x3 2x5", "Concat", "0=-1"),
    Sample("2x3x4 5x3x4 1x3x4", "Concat"),
    Sample("2x3x4 2x1x4", "Concat", "0=1"),
    Sample("2x3x4x5 2x3x4x1", "Concat", "0=3"),
    Sample("9x3x4", "Slice", "-23300=3,2,-233,-233", tops=3),
    Sample("2x9", "Slice", "-23300=2,-233,-233 1=-1", tops=2),
    Sample("9x3x4", "Slice", "-23302=2,2,-3", tops=3),
    Sample("5x7x6", "Crop", "0=1 1=2 2=0 3=4 4=-233 5=3"),
    Sample("5x7x6", "Crop", "0=1 6=2 3=-233 4=-233 5=-233"),
    Sample("5x7x6", "Crop", "-23309=2,1,-4 -23310=2,-233,-1 -23311=2,0,2"),
    Sample("7x6", "Crop", "-23309=1,2 -23310=1,5 -23311=1,-2"),
    Sample("5x7x6", "Crop", "3=-233 4=-233 5=-233"),
    Sample("5x7x6 2x3x4", "Crop", "0=1 1=1"),
    Sample("5x7x6 3x4", "Crop"),
    Sample("2x3x4", "Reshape", "0=-1"),
    Sample("2x3x4", "Reshape", "0=6 1=-1"),
    Sample("2x3x4", "Reshape", "0=0 1=1 2=-1"),
    Sample("2x3x4", "Reshape", "0=2 1=2 11=-1 2=0"),
    Sample("24", "Reshape", "0=4 1=3 2=2"),
    Sample("2x4x4", "Reshape", "0=8 1=2 2=2"),
    Sample("5x8", "Reshape", "0=4 1=10"),
    Sample("24", "Reshape", "0=4 1=6"),
    Sample("2x3x4", "Flatten"),
    Sample("7", "Flatten"),
    Sample("3x4", "Flatten"),
    Sample("3x4", "Permute", "0=1"),
    *(Sample("2x3x4", "Permute", f"0={order}") for order in range(6)),
    *(Sample("2x3x4x5", "Permute", f"0={order}") for order in range(24)),
    Sample("6x3x4", "ShuffleChannel", "0=2"),
    Sample("8x3x4", "PixelShuffle", "0=2"),
    Sample("2x3x4", "Padding", "0=1 1=2 2=3 3=4"),
    Sample("2x3x4", "Padding"),
    Sample("2x3x4", "Padding", "0=1 6=2"),
    Sample("2x3x4", "Padding", "0=1 1=0 2=0 3=0 7=1 8=2"),
    Sample("2x3x4x5", "Padding", "0=1 1=1 2=1 3=1 7=1 8=2"),
    Sample("3x4", "Padding", "2=1 3=1 7=5"),
    Sample("2x3x4", "Interp", "0=2 1=2.0 2=1.5"),
    Sample("2x3x7", "Interp", "0=1 1=0.7 2=0.7142857"),
    Sample("2x3x4", "Interp", "0=1 3=5 4=9"),
    Sample("2x3x4 1x6x7", "Interp", "0=2 5=1"),
    Sample("3x4", "Interp", "0=2 4=9 3=1"),
    Sample("2x3x4", "Interp", "0=2 3=3 4=4"),
    Sample("3", "Interp", "0=1 3=4 4=5"),
    Sample("2x3x4", "Reduction", "0=3 1=1"),
    Sample("2x3x4", "Reduction", "0=3 1=0 -23303=2,1,2 4=0 5=1"),
    Sample("2x3x4", "Reduction", "0=3 1=0 -23303=2,1,-1 4=1 5=1"),
    Sample("2x3x4x5", "Reduction", "0=3 1=0 -23303=2,0,2 4=0 5=1"),
    Sample("7", "Reduction", "0=0 1=0 -23303=1,0 4=0 5=1"),
    Sample("2x3x4 2x3x4", "BinaryOp"),
    Sample("2x3x4", "BinaryOp", "0=2 1=1 2=3.0"),
    Sample("2x3x4 2", "BinaryOp"),
    Sample("4 2x3x4", "BinaryOp"),
    Sample("2x3x4 2x3", "BinaryOp"),
    Sample("2x1x4 1x3x4", "BinaryOp"),
    Sample("2x3x4 1x1x1", "BinaryOp"),
    Sample("3x4 3", "BinaryOp"),
    Sample("3x4 4", "BinaryOp"),
    Sample("2x3x4x5 2x3x4", "BinaryOp"),
    Sample("2x3x4x5 2x3", "BinaryOp"),
    Sample("2x3x4 2x3x4 2x3x4", "Eltwise", "0=1"),
    Sample("5x8", "Gemm", "3=1 5=1 6=1 8=4 9=8 10=4"),
    Sample("8x5", "Gemm", "2=1 3=1 5=1 6=1 7=0 8=4 9=8 10=-1"),
    Sample("5x8 8x4", "Gemm"),
    Sample("5x8 4x8", "Gemm", "3=1 14=1"),
    Sample("5x8 4x8", "Gemm", "3=1 11=1"),
    Sample("8x4", "Gemm", "4=1 6=1 7=3 9=8 10=1"),
    Sample("5 5", "MatMul"),
    Sample("3x5 5x4", "MatMul"),
    Sample("3x5 4x5", "MatMul", "0=1"),
    Sample("5 5x4", "MatMul"),
    Sample("3x5 5", "MatMul"),
    Sample("5 2x5x4", "MatMul"),
    Sample("2x3x5 5", "MatMul"),
    Sample("2x3x5 2x5x4", "MatMul"),
    Sample("3x5 2x4x5", "MatMul", "0=1"),
    Sample("2x1x3x5 1x6x5x4", "MatMul"),
    Sample("2x3x5 6x2x5x4", "MatMul"),
    Sample("6x8", "MultiHeadAttention", "0=8 1=2 2=64"),
    Sample("6x8 5x4 5x4", "MultiHeadAttention", "0=8 1=2 2=64 3=4 4=4"),
    Sample("6", "Embed", "0=5 1=9 2=1 3=45"),
    Sample("", "MemoryData", "0=4"),
    Sample("", "MemoryData", "0=4 1=3"),
    Sample("", "MemoryData", "0=4 1=3 2=2"),
    Sample("", "MemoryData", "0=4 1=3 11=5 2=2"),
    Sample("5", "ExpandDims", "-23303=1,0"),
    Sample("5", "ExpandDims", "-23303=2,0,1"),
    Sample("3x5", "ExpandDims", "-23303=1,-2"),
    Sample("3x8", "ExpandDims", "-23303=1,0"),
    Sample("3x8", "ExpandDims", "-23303=1,1"),
    Sample("3x5", "ExpandDims", "-23303=2,0,-1"),
    Sample("3x1x1", "Squeeze", "-23303=2,1,2"),
    Sample("1x3x1", "Squeeze", "0=1 1=1 2=1"),
    Sample("1x3x4", "Squeeze", "-23303=1,0"),
    Sample("1x1x4x5", "Squeeze", "-23303=1,1"),
    Sample("1x1x1", "Squeeze", "-23303=3,0,1,2"),
    Sample("2x3x4", "Noop"),
    Sample("2x3x4", "Split", tops=3),
    Sample("4x3x4", "BatchNorm", "0=4"),
    Sample("4x3x4", "Bias", "0=4"),
    Sample("4x3x4", "Cast", "0=1 1=1"),
    Sample("4x3x4", "Cast", "0=1 1=2"),
    Sample("4x3x4", "GroupNorm", "0=2 1=4"),
    Sample("4x3x4", "InstanceNorm", "0=4"),
    Sample("4x6", "LayerNorm", "0=6"),
    Sample("4x6", "LayerNorm", "0=6 2=0"),
    Sample("4x6", "RMSNorm", "0=6"),
    Sample("4x3x4", "LRN"),
    Sample("4x3x4", "MVN"),
    Sample("4x3x4", "Normalize", "0=0 1=1 3=1 4=1"),
    Sample("4x3x4", "PReLU", "0=4"),
    Sample("4x3x4", "Scale", "0=4 1=1"),
    Sample("4x3x4 4", "Scale", "0=-233"),
    Sample("4x3x4", "Softmax", "0=0 1=1"),
    *(
        Sample("4x3x4", name)
        for name in (
            *("AbsVal", "BNLL", "CELU", "Clip", "CumulativeSum", "Dropout", "ELU", "Erf", "Exp"),
            *(
                "GELU",
                "HardSigmoid",
                "HardSwish",
                "Log",
                "Mish",
                "Power",
                "ReLU",
                "SELU",
                "Shrink",
                "Sigmoid",
            ),
            *("Softplus", "Swish", "TanH", "Threshold", "UnaryOp"),
        )
    ),
]

# Their scales have to be those of an int8 model, which zeros are not.
UNTRIED = {"Dequantize", "Quantize", "Requantize"}


TAGS = {
    **dict.fromkeys(("Convolution", "ConvolutionDepthWise", "Convolution1D", "ConvolutionDepthWise1D"), 1),
    **dict.fromkeys(("Deconvolution", "DeconvolutionDepthWise", "Embed", "InnerProduct"), 1),
    "MultiHeadAttention": 4,
}
"""How many arrays of a layer have a tag."""


@dataclass(frozen=True)
class Told:
    """What ncnn says of a network."""

    codes: list[int]
    shapes: Mapping[str, Shape | None]
    in_place: Mapping[str, bool]
    taken: int
    """How many pieces of memory its blobs took."""
    read: int
    """How many bytes of weights it asked for."""


def ask_ncnn(jobs: list[dict[str, Any]]) -> list[Told]:
    lines = "".join(json.dumps(job) + "\n" for job in jobs)
    told = subprocess.run(
        [sys.executable, "-c", CHILD], input=lines, capture_output=True, text=True, timeout=120, check=True
    )
    answers = [json.loads(line) for line in told.stdout.splitlines()]
    return [
        Told(
            answer["codes"],
            {blob: shape and tuple(shape) for blob, shape in answer["shapes"].items()},
            answer["in_place"],
            answer["taken"],
            answer["read"],
        )
        for answer in answers
    ]


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> dict[Sample, Told]:
    folder = tmp_path_factory.mktemp("samples")
    jobs = []
    for number, sample in enumerate(SAMPLES):
        param = folder / f"{number}.param"
        param.write_text(sample.param())
        inputs = {f"in{place}": shape for place, shape in enumerate(sample.shapes)}
        blobs = [f"out{top}" for top in range(sample.tops)]
        jobs.append({"param": str(param), "inputs": inputs, "blobs": blobs})
    return dict(zip(SAMPLES, ask_ncnn(jobs), strict=True))


def test_every_known_layer_is_tried_on_ncnn() -> None:
    assert {sample.type for sample in SAMPLES} == KNOWN - UNTRIED


@pytest.mark.parametrize(
    "sample", SAMPLES, ids=lambda sample: f"{sample.type} {sample.inputs} {sample.params}"
)
def test_a_layer_makes_what_ncnn_makes(sample: Sample, tried: dict[Sample, Told]) -> None:
    graph = sample.graph()

    told = tried[sample]
    assert told.codes == [0, 0]
    assert told.shapes == {blob: graph.shapes[blob] for blob in graph.outputs}
    assert told.in_place["tried"] == (graph.nodes[0].makes is Makes.IN_PLACE)
    assert (told.taken == 0) == (graph.nodes[0].makes is Makes.SAME)


@pytest.mark.parametrize(
    "sample", SAMPLES, ids=lambda sample: f"{sample.type} {sample.inputs} {sample.params}"
)
def test_a_layer_has_as_many_weights_as_ncnn_reads(sample: Sample, tried: dict[Sample, Told]) -> None:
    """Four bytes for each, and for the tag before each array that may be stored in another precision."""
    (node,) = sample.graph().nodes

    tags = TAGS.get(node.type, 0)
    if node.type == "Gemm":
        tags = sum(node.layer.integer(param_id) for param_id in (4, 5, 6)) - (node.layer.integer(10) == -1)
    if node.weights == 0:
        tags = 0
    assert tried[sample].read == 4 * (node.weights + node.bias + tags)


@pytest.mark.slow
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_a_built_in_network_has_the_shapes_that_ncnn_gives(topology: str) -> None:
    model = convert(Network(topology, BuiltIn(topology)), Cache(), print)
    graph = read(model)
    inputs = {blob.name: blob.shape for blob in model.inputs}
    blobs = [blob for blob in graph.shapes if blob not in inputs]

    (told,) = ask_ncnn([{"param": str(model.param), "inputs": inputs, "blobs": blobs}])

    assert told.shapes == {blob: graph.shapes[blob] for blob in blobs}
    assert told.in_place == {
        **{node.name: node.makes is Makes.IN_PLACE for node in graph.nodes},
        **{layer.name: True for layer in param_file.read(model.param).layers if layer.type == "Input"},
    }


@pytest.mark.slow
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_weights_and_biases_fill_the_file_of_a_built_in_network(topology: str) -> None:
    model = convert(Network(topology, BuiltIn(topology)), Cache(), print)
    graph = read(model)

    tagged = [node for node in graph.nodes if node.type.startswith(("Convolution", "InnerProduct"))]
    assert model.bin is not None
    assert model.bin.stat().st_size == 4 * (graph.weights + graph.biases + len(tagged))


REFUSED = [
    (Sample("3x9x7", "DetectionOutput"), "type whose shapes are not known"),
    (
        Sample("4x9x7", "Convolution", "0=4 1=3 6=108"),
        "108 weights, and would need 144 for a blob of 4 channels",
    ),
    (Sample("3x2x7", "Convolution", "0=4 1=3 6=108"), "window of 3, larger than the 2"),
    (Sample("3x9", "Convolution", "0=4 1=3 6=108"), "takes a blob of 1 or 3 dimensions, not 3x9"),
    (Sample("7x2x3", "ConvolutionDepthWise", "0=6 1=1 6=6 7=6"), "cannot part 7 channels"),
    (Sample("3x9x7", "Pooling", "1=3 2=0"), "stride 0"),
    (Sample("3x9x7", "InnerProduct", "0=5 2=40"), "takes 8 numbers, and 3x9x7 are 189"),
    (Sample("2x3x4 2x5x4", "Concat"), "cannot join 2x3x4 and 2x5x4 along axis 0"),
    (Sample("2x3x4 2x3", "Concat", "0=1"), "cannot join"),
    (Sample("2x3x4", "Concat", "0=3"), "no axis 3 in a blob of 3 dimensions"),
    (Sample("9x3x4", "Slice", "-23300=2,5,5", tops=2), "cuts 10 out of 9"),
    (Sample("9x3x4", "Slice", "-23300=2,4,5", tops=3), "2 sizes for 3 tops"),
    (Sample("5x7x6", "Crop", '19="1" 20="2" 21="0"'), "computes sizes while it runs"),
    (Sample("5x7x6 4", "Crop", "0=-233"), "takes its sizes from the numbers in a blob"),
    (Sample("5x7x6", "Crop", "0=6 3=-233 4=-233 5=-233"), "would make a blob of 5x7x0"),
    (Sample("2x3x4", "Reshape", "0=5 1=-1"), "cannot make"),
    (Sample("2x3x4", "Reshape", '6="2,12"'), "by the expression '2,12'"),
    (Sample("2x3x4", "Reshape"), "gives no sizes"),
    (Sample("2x3x4", "Permute", "0=6"), "no order 6"),
    (Sample("2x3x4", "Reduction", "1=0 -23303=1,1"), "convert the model again"),
    (Sample("5", "ExpandDims", "0=1"), "convert the model again"),
    (Sample("2x3x4 3x3x4", "BinaryOp"), "cannot fit 2x3x4 to 3x3x4"),
    (Sample("2x3x4 2x3x1", "Eltwise"), "cannot fit 2x3x4 to 2x3x1"),
    (Sample("3x5 4x5", "MatMul"), "cannot multiply 3x5 by 4x5"),
    (Sample("6x8", "MultiHeadAttention", "0=8 1=2 2=64 7=1"), "from one inference to the next"),
    (Sample("5x8", "Gemm", "3=1 5=1 8=4 9=8 18=404"), "packed by blocks"),
    (Sample("2x3x4 2x3x4", "ReLU"), "reads 2 blobs, not 1"),
    (Sample("2x3x4", "ReLU", tops=2), "makes 1 blobs, and names 2"),
    (Sample("2x3x4", "Pooling", "1=2.5"), "not an integer"),
]


@pytest.mark.parametrize(("sample", "why"), REFUSED, ids=lambda given: getattr(given, "type", ""))
def test_what_cannot_be_told_is_refused(sample: Sample, why: str) -> None:
    with pytest.raises(GraphError) as refusal:
        sample.graph()

    assert f"layer 'tried' of type {sample.type} " in str(refusal.value)
    assert why in str(refusal.value)
