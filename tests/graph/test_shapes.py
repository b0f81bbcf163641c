"""Shapes, weights and memory as inferred, beside what ncnn itself makes of the same layers."""

from __future__ import annotations

import pytest

from ncnn_peakmem import param_file
from ncnn_peakmem.conversion import Cache, convert
from ncnn_peakmem.graph import GraphError, Makes, read
from ncnn_peakmem.graph.shapes import KNOWN
from ncnn_peakmem.model_bin import slots
from ncnn_peakmem.network import BuiltIn, Network
from ncnn_peakmem.networks import TOPOLOGIES
from tests.graph.ncnn_itself import Told, ask_ncnn
from tests.graph.samples import arithmetic, arrange, unchanged, window
from tests.graph.samples.sample import Sample

SAMPLES = [*window.SAMPLES, *arithmetic.SAMPLES, *arrange.SAMPLES, *unchanged.SAMPLES]
REFUSED = [*window.REFUSED, *arithmetic.REFUSED, *arrange.REFUSED, *unchanged.REFUSED]

# Their scales have to be those of an int8 model, which zeros are not.
UNTRIED = {"Dequantize", "Quantize", "Requantize"}


TAGS = {
    **dict.fromkeys(("Convolution", "ConvolutionDepthWise", "Convolution1D", "ConvolutionDepthWise1D"), 1),
    **dict.fromkeys(("Deconvolution", "DeconvolutionDepthWise", "Embed", "InnerProduct"), 1),
    "MultiHeadAttention": 4,
}
"""How many arrays of a layer have a tag."""


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

    tags = sum(slot.tagged for layer in param_file.read(model.param).layers for slot in slots(layer))
    assert model.bin is not None
    assert model.bin.stat().st_size == 4 * (graph.weights + graph.biases + tags)


@pytest.mark.parametrize(("sample", "why"), REFUSED, ids=lambda given: getattr(given, "type", ""))
def test_what_cannot_be_told_is_refused(sample: Sample, why: str) -> None:
    with pytest.raises(GraphError) as refusal:
        sample.graph()

    assert f"layer 'tried' of type {sample.type} " in str(refusal.value)
    assert why in str(refusal.value)
