"""A network as ncnn runs it: the order of its layers, who reads what, and how a mistake is told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ncnn_peakmem import param_file
from ncnn_peakmem.graph import Graph, GraphError, Makes, build, read
from ncnn_peakmem.network import InputBlob, ModelFiles

FORKED = """\
7767517
6 7
Input       data  0 1 data 0=8 1=8 2=4
Split       fork  1 2 data left right
Convolution one   1 1 left a 0=16 1=1 6=64
Convolution two   1 1 right b 0=32 1=1 6=128
Concat      join  2 1 b a joined
ReLU        over  1 1 joined out
"""
"""A network whose layers run in another order than that of the file."""

TRACER = """\
import json, sys, ncnn
sizes = []
class Tracer(ncnn.PoolAllocator):
    def fastMalloc(self, size):
        sizes.append(size)
        return super().fastMalloc(size)
net = ncnn.Net()
tracer = Tracer()
net.load_param(sys.argv[1])
net.load_model(ncnn.DataReaderFromEmpty())
extractor = net.create_extractor()
extractor.set_blob_allocator(tracer)
data = ncnn.Mat(8, 8, 4)
data.fill(0.0)
extractor.input("data", data)
mat = ncnn.Mat()
extractor.extract("out", mat, 1)
print(json.dumps(sizes))
del mat
extractor.clear()
"""


def forked() -> Graph:
    return build(param_file.parse(FORKED), [InputBlob("data", (4, 8, 8))])


def test_layers_are_in_the_order_in_which_ncnn_runs_them(tmp_path: Path) -> None:
    param = tmp_path / "forked.param"
    param.write_text(FORKED)

    told = subprocess.run(
        [sys.executable, "-c", TRACER, str(param)], capture_output=True, text=True, timeout=60, check=True
    )

    graph = forked()
    assert [node.name for node in graph.nodes] == ["fork", "two", "one", "join", "over"]
    allocated = json.loads(told.stdout)
    made = [4 * graph.elements(node.tops[0]) for node in graph.nodes if node.makes is Makes.NEW]
    # An allocation is rounded, and has room for a reference count.
    assert [size for size in made if any(size <= found < size + 64 for found in allocated)] == made
    assert [size // 1024 for size in allocated if size // 1024 in {size // 1024 for size in made}] == [
        8,
        4,
        12,
    ]


def test_blobs_tell_who_makes_and_who_reads_them() -> None:
    graph = forked()

    assert graph.inputs == ("data",)
    assert graph.producer("data") is None
    assert [node.name for node in graph.consumers("data")] == ["fork"]
    producer = graph.producer("b")
    assert producer is not None
    assert (producer.name, producer.type, producer.weights, producer.bias) == ("two", "Convolution", 128, 0)
    assert [node.makes for node in graph.nodes] == ["same", "new", "new", "new", "in_place"]


def test_layers_that_no_output_needs_do_not_run() -> None:
    blobs = [InputBlob("data", (4, 8, 8))]

    graph = build(param_file.parse(FORKED), blobs, outputs=["a"])

    assert [node.name for node in graph.nodes] == ["fork", "one"]
    assert "b" not in graph.shapes
    with pytest.raises(GraphError, match="no layer makes the output 'nothing'"):
        build(param_file.parse(FORKED), blobs, outputs=["nothing"])


def test_a_refusal_names_file_and_line(tmp_path: Path) -> None:
    param = tmp_path / "forked.param"
    param.write_text(FORKED.replace("Split", "\n\nSplit").replace("1=1 6=128", "1=1 6=127"))
    model = ModelFiles(param, None, (InputBlob("data", (4, 8, 8)),), ("out",), "forked")

    with pytest.raises(GraphError) as refusal:
        read(model)

    assert str(refusal.value).startswith(f"{param}:8: layer 'two' of type Convolution has 127 weights")


def test_an_input_without_a_shape_is_refused() -> None:
    with pytest.raises(GraphError, match="layer 'data' of type Input is given no shape for its blob 'data'"):
        build(param_file.parse(FORKED), [])
