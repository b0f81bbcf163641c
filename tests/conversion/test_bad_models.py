"""A model that cannot be measured is told before anything is: which node, tensor, input or layer, and why."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from ncnn_peakmem.conversion import Cache, ConversionError, convert
from ncnn_peakmem.network import NcnnFiles, Network, OnnxFile, Shape, Source
from tests.conftest import SMALL_PARAM
from tests.conversion.conftest import save_small

Make = Callable[[Path], tuple[Source, tuple[Shape, ...]]]


def of_nodes(nodes: Iterable[onnx.NodeProto], *domains: str, sizes: Shape = (1, 3, 8, 8)) -> Make:
    """A model of these nodes alone, from `data` to what the last one makes."""

    def make(folder: Path) -> tuple[Source, tuple[Shape, ...]]:
        made = list(nodes)
        ends = (
            [helper.make_tensor_value_info("data", TensorProto.FLOAT, sizes)],
            [helper.make_tensor_value_info(made[-1].output[0], TensorProto.FLOAT, None)],
        )
        opsets = [helper.make_opsetid("", 17), *(helper.make_opsetid(domain, 1) for domain in domains)]
        file = folder / "bad.onnx"
        graph = helper.make_graph(made, "bad", *ends)
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        onnx.save(onnx.shape_inference.infer_shapes(model), file)
        return OnnxFile(file), ()

    return make


def of_small(*shapes: Shape, **choices: object) -> Make:
    """The small network of `save_small`, asked for at these shapes."""
    return lambda folder: (OnnxFile(save_small(folder / "bad.onnx", **choices)), shapes)  # type: ignore[arg-type]


def of_param(*shapes: Shape, text: str = SMALL_PARAM) -> Make:
    """A user's `.param`, asked for at these shapes."""

    def make(folder: Path) -> tuple[Source, tuple[Shape, ...]]:
        file = folder / "bad.param"
        file.write_text(text)
        return NcnnFiles(file), shapes

    return make


def without_data(folder: Path) -> tuple[Source, tuple[Shape, ...]]:
    file = save_small(folder / "bad.onnx", external="weights.bin")
    file.with_name("weights.bin").unlink()
    return OnnxFile(file), ()


def with_short_data(folder: Path) -> tuple[Source, tuple[Shape, ...]]:
    file = save_small(folder / "bad.onnx", external="weights.bin")
    os.truncate(file.with_name("weights.bin"), 100)
    return OnnxFile(file), ()


def cut_short(folder: Path) -> tuple[Source, tuple[Shape, ...]]:
    file = save_small(folder / "bad.onnx")
    os.truncate(file, file.stat().st_size - 10)
    return OnnxFile(file), ()


def node(operator: str, name: str, source: str, made: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(operator, [source], [made], name=name, **attributes)  # type: ignore[arg-type]


UNARY = ("Relu", "Sigmoid", "Tanh", "Exp", "Neg", "Abs")
DETS = [
    *(node(operator, operator, "data", f"a{number}") for number, operator in enumerate(UNARY)),
    *(node("Det", f"det_{number}", f"a{number}", f"d{number}") for number, _ in enumerate(UNARY)),
    helper.make_node("Concat", [f"d{number}" for number, _ in enumerate(UNARY)], ["out"], axis=1),
]

BAD: dict[str, tuple[Make, tuple[str, ...]]] = {
    "operator of another domain": (
        of_nodes([node("Glow", "shine", "data", "out", domain="my.domain")], "my.domain"),
        ("no operator my.domain::Glow (node shine)",),
    ),
    "operator without a name": (
        of_nodes([node("NoSuch", "", "data", "made")]),
        ("no operator NoSuch (node that makes made)",),
    ),
    "operator that pnnx leaves": (
        of_nodes([node("Relu", "before", "data", "a"), node("Det", "det", "a", "out")]),
        ("operator Det (node det) has no ncnn layer", "pnnx left it as layer Det_"),
    ),
    "several operators that pnnx leaves": (
        of_nodes(DETS),
        ("operator Det (node det_0)", "operator Det (node det_3)", "and 2 more"),
    ),
    "dynamic sizes": (
        of_small(sizes=("batch", 3, 8, "width")),
        ("input data is not fixed", "batch, 3, 8, width", "give `input_shapes`", "[1, 3, 224, 224]"),
    ),
    "channels that the model does not have": (
        of_small((1, 4, 8, 8)),
        ("node conv (Conv) has weights for 3 at axis 1 of data, which is [1, 4, 8, 8]",),
    ),
    "too few shapes": (
        of_small((1, 3, 8, 8), second_input=(1, 4, 8, 8)),
        ("1 input shapes for the inputs data, more:0",),
    ),
    "weights cut short": (cut_short, ("bad.onnx is not ONNX, or it is cut short",)),
    "no external data": (
        without_data,
        ("tensor weight lies in the external data file weights.bin, which is missing",),
    ),
    "short external data": (
        with_short_data,
        ("external data file weights.bin is cut short", "tensor weight ends at byte 432"),
    ),
    "param: channels that a convolution has no weights for": (
        of_param((1, 4, 32, 32)),
        (
            "the input shapes, without batch, are 'data' [4, 32, 32]",
            "layer 'conv1' of type Convolution, which reads 'data' of 4x32x32, has 432 weights",
            "they are for 3 channels",
            "give `input_shapes`",
        ),
    ),
    "param: a size that a product has no weights for": (
        of_param((1, 3, 64, 64)),
        ("layer 'fc' of type InnerProduct, which reads 'conv3' of 32x32x32, takes 8192 numbers",),
    ),
    "param: a rank that a convolution does not take": (
        of_param((1, 32, 32)),
        ("layer 'conv1' of type Convolution, which reads 'data' of 32x32, takes a blob of 1 or 3 dim",),
    ),
    "param: the rank of a vector": (
        of_param((1, 3)),
        ("layer 'conv1' of type Convolution, which reads 'data' of 3, takes a blob of 3 dimensions",),
    ),
    "param: channels of its own Input layer": (
        of_param(text=SMALL_PARAM.replace("2=3\n", "2=5\n", 1)),
        ("layer 'conv1' of type Convolution", "they are for 3 channels"),
    ),
    "param: a product of matrices": (
        of_param(
            text="7767517\n2 2\nInput in 0 1 in 0=8 1=5\nGemm gemm 1 1 in out 3=1 5=1 8=4 9=6 10=-1\n",
        ),
        ("layer 'gemm' of type Gemm, which reads 'in' of 5x8, cannot multiply 5x8 by 6x4",),
    ),
    "param: no shape": (
        of_param(text=SMALL_PARAM.replace(" 0=32 1=32 2=3", "", 1)),
        ("does not tell the shape of input data", "give `input_shapes`"),
    ),
}


@pytest.mark.parametrize("defect", BAD)
def test_a_bad_model_is_refused_by_name_before_a_probe_starts(
    defect: str, tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, words = BAD[defect]
    source, shapes = make(tmp_path)
    monkeypatch.setattr("ncnn_peakmem.probe.launcher.subprocess", None)
    with pytest.raises(ConversionError) as caught:
        convert(Network("bad", source, shapes), cache)
    for word in words:
        assert word in str(caught.value)
    assert list(cache.entries()) == []


def test_a_layer_whose_shapes_are_not_known_here_refuses_nothing(tmp_path: Path, cache: Cache) -> None:
    text = SMALL_PARAM.replace("Convolution      conv1 ", "Unknown          conv1 ", 1)
    source, _ = of_param(text=text)(tmp_path)
    assert convert(Network("odd", source), cache).outputs == ("output",)


@pytest.mark.parametrize(
    "defect",
    [
        "operator of another domain",
        "short external data",
        "param: channels of its own Input layer",
        "dynamic sizes",
    ],
)
def test_measure_tells_the_same_and_exits_with_3(defect: str, tmp_path: Path) -> None:
    make, words = BAD[defect]
    source, _ = make(tmp_path)
    assert isinstance(source, OnnxFile | NcnnFiles)
    file = source.path if isinstance(source, OnnxFile) else source.param
    ended = subprocess.run(
        [
            Path(sys.executable).with_name("ncnn-peakmem"),
            "measure",
            str(file),
            "--cache-dir",
            str(tmp_path / "c"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 3
    assert "Traceback" not in ended.stderr
    assert not ended.stdout
    told = " ".join(ended.stderr.split())
    for word in words:
        assert word in told
