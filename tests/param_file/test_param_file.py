from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ncnn_peakmem import param_file
from ncnn_peakmem.network import Shape
from ncnn_peakmem.param_file import Graph, Layer, ParamFileError, parse

# As pnnx 20261020 writes a MatMul of a [1, 7, 10] tensor.
PNNX_TEXT = """\
7767517
5 6
Input                    in0                      0 1 in0
Split                    splitncnn_0              1 2 in0 1 2
Reshape                  F_linear_0_ncnnreshape0  1 1 1 3 6="0w,-1"
Gemm                     gemm_0                   1 1 3 4 10=-1 2=0 3=1 4=0 5=1 6=1 7=7 8=5 9=10
Reshape                  F_linear_0_ncnnreshape1  2 1 4 2 out0 6="0w,1h,1c"
"""


def text_of(*layers: str, blobs: int) -> str:
    return "\n".join(["7767517", f"{len(layers)} {blobs}", *layers]) + "\n"


def params_of(text: str) -> dict[int, param_file.ParamValue]:
    return dict(parse(text_of(f"Noop n 0 1 a {text}", blobs=1)).layers[0].params)


def test_a_graph_has_its_layers_in_order() -> None:
    graph = parse(
        text_of("Input in0 0 1 in0 0=8", "Split s 1 2 in0 a b", "BinaryOp add 2 1 a b out0 0=0", blobs=4)
    )
    assert graph.layers == (
        Layer("Input", "in0", (), ("in0",), {0: 8}),
        Layer("Split", "s", ("in0",), ("a", "b"), {}),
        Layer("BinaryOp", "add", ("a", "b"), ("out0",), {0: 0}),
    )


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("0=3 1=-4", {0: 3, 1: -4}),
        ("0=1.5", {0: 1.5}),
        ("0=-2.500000e-03 1=1e5 2=.5 3=3.", {0: -0.0025, 1: 1e5, 2: 0.5, 3: 3.0}),
        ("-23303=3,1,2,3", {3: (1, 2, 3)}),
        ("-23304=2,1.0,2.5e-1", {4: (1.0, 0.25)}),
        ("-23300=0", {0: ()}),
        ("5=1,2,3", {5: (1, 2, 3)}),
        ("5=1.0,", {5: (1.0,)}),
        ('6="0w, 1h" 7=1', {6: "0w, 1h", 7: 1}),
        ('6=""', {6: ""}),
        ("6=abc,def", {6: "abc,def"}),
    ],
)
def test_parameters(text: str, params: dict[int, param_file.ParamValue]) -> None:
    assert params_of(text) == params


def test_a_float_stays_a_float_and_an_integer_an_integer() -> None:
    assert [type(value) for value in params_of("0=1 1=1.0 2=1e0").values()] == [int, float, float]


def test_blank_lines_and_windows_line_ends_do_not_matter() -> None:
    assert parse("\r\n" + PNNX_TEXT.replace("\n", "\r\n\r\n")) == parse(PNNX_TEXT)


def test_outputs_that_list_what_was_found_are_told() -> None:
    graph = parse(
        "7767517\n4 5\nInput a 0 1 a\nSplit s 1 2 a b c\n"
        "Yolov3DetectionOutput found 1 1 b boxes\nReLU r 1 1 c same\n"
    )
    assert graph.outputs() == ("boxes", "same")
    assert graph.detections() == ("boxes",)


@pytest.mark.parametrize("counts", ["2 2", "2 9"])
def test_as_many_layers_are_read_as_are_announced_and_no_line_after_them(counts: str) -> None:
    graph = parse(f"7767517\n{counts}\nInput a 0 1 a\nReLU r 1 1 a b\nNoop end 1 1 b c\nno layer at all\n")
    assert [layer.name for layer in graph.layers] == ["a", "r"]
    assert graph.outputs() == ("b",)


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", 1, "not a ncnn text .param file"),
        ("7767516\n1 1\nInput a 0 1 a\n", 1, "not a ncnn text .param file"),
        ("7767517\n", 1, "expected the layer count"),
        ("7767517\n1\nInput a 0 1 a\n", 2, "expected the layer count"),
        ("7767517\n1 x\nInput a 0 1 a\n", 2, "blob count 'x' is not a number"),
        ("7767517\n-1 1\nInput a 0 1 a\n", 2, "layer count '-1' is not a number"),
        ("7767517\n1 100001\nInput a 0 1 a\n", 2, "blob count '100001' is above 100000"),
        (f"7767517\n{'9' * 6000} 1\nInput a 0 1 a\n", 2, "is above 100000"),
        ("7767517\n2 1\nInput a 0 1 a\n", 3, "ends after 1 layers; it announces 2"),
        ("7767517\n2 1\nInput a 0 1 a\nReLU r 1 1 a b\n", 2, "announces 1 blobs; the layers make 2"),
        ("7767517\n1 1\nInput a 0\n", 3, "expected type, name, bottom count"),
        ("7767517\n1 1\nInput a zero 1 a\n", 3, "bottom count 'zero'"),
        ("7767517\n1 1\nInput a 0 2147483647 a\n", 3, "top count '2147483647' is above"),
        ("7767517\n1 1\nInput a 0 2 a\n", 3, "names 1 blobs; its counts say 2"),
        (
            "7767517\n2 2\nInput a 0 1 a\n\nReLU r 1 1 x b\n",
            5,
            "'r' reads blob 'x', which no layer above makes",
        ),
        ("7767517\n1 1\nReLU r 1 1 b b\n", 3, "reads blob 'b', which no layer above makes"),
        ("7767517\n2 2\nInput a 0 1 a\nInput b 0 1 a\n", 4, "blob 'a' is made twice"),
        (text_of("Noop n 0 1 a 0", blobs=1), 3, "expected id=value, got '0'"),
        (text_of("Noop n 0 1 a 0=1 =2", blobs=1), 3, "expected id=value, got '=2'"),
        (text_of("Noop n 0 1 a 0= 1=2", blobs=1), 3, "expected id=value"),
        (text_of('Noop n 0 1 a 0="open', blobs=1), 3, "expected id=value"),
        (text_of("Noop n 0 1 a 0=1x", blobs=1), 3, "'1x' is neither"),
        (text_of("Noop n 0 1 a 0=-inf", blobs=1), 3, "'-inf' is neither"),
        (text_of("Noop n 0 1 a 0=2147483648", blobs=1), 3, "neither a 32-bit integer"),
        (text_of("Noop n 0 1 a 0=1e999", blobs=1), 3, "'1e999' is neither"),
        (text_of("Noop n 0 1 a 0=0.30000001192092896", blobs=1), 3, "would read 15 characters only"),
        (text_of("Noop n 0 1 a 0=1 0=2", blobs=1), 3, "parameter 0 is given twice"),
        (text_of("Noop n 0 1 a 32=1", blobs=1), 3, "parameter id 32 is out of range"),
        (text_of("Noop n 0 1 a -5=1", blobs=1), 3, "parameter id -5 is out of range"),
        (text_of("Noop n 0 1 a -23300=3,1,2", blobs=1), 3, "has 2 items; it announces 3"),
        (text_of("Noop n 0 1 a -23300=x,1,2", blobs=1), 3, "array count 'x' is not a number"),
        (text_of("Noop n 0 1 a 3=1,,2", blobs=1), 3, "'' is neither"),
        (text_of(f'Noop n 0 1 a 0="{"x" * 256}"', blobs=1), 3, "up to 255 characters"),
        (text_of("Noop n 0 1 a " + "0=1 " * 300_000, blobs=1), 3, "longer than 1048576 characters"),
    ],
)
def test_an_error_tells_the_line_and_what_is_wrong(text: str, line: int, what: str) -> None:
    with pytest.raises(ParamFileError) as caught:
        parse(text, origin="net.param")
    message = str(caught.value)
    assert message.startswith(f"net.param:{line}: ")
    assert what in message
    assert len(message) < 250


def test_a_file_is_read_and_named_in_its_errors(tmp_path: Path) -> None:
    file = tmp_path / "net.param"
    file.write_text(PNNX_TEXT)
    assert param_file.read(file) == parse(PNNX_TEXT)
    file.write_text(PNNX_TEXT.replace("5 6", "5 5"))
    with pytest.raises(ParamFileError, match=f"^{file}:2: "):
        param_file.read(file)


def test_a_missing_file_is_an_error_of_this_kind(tmp_path: Path) -> None:
    with pytest.raises(ParamFileError, match=r"none\.param: cannot be read: No such file"):
        param_file.read(tmp_path / "none.param")


def test_a_binary_file_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "net.param"
    file.write_bytes(b"7767517\n1 1\nInput \xff\xfe 0 1 a\n")
    with pytest.raises(ParamFileError, match=r"net\.param:3: not text"):
        param_file.read(file)


def test_a_file_is_read_no_further_than_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "net.param"
    with file.open("wb") as content:
        content.truncate(1 << 40)
    with pytest.raises(ParamFileError, match=r"net\.param: is larger than 16 MiB"):
        param_file.read(file)


@pytest.mark.parametrize(
    ("params", "shape"),
    [
        ("0=8", (8,)),
        ("0=8 1=6", (6, 8)),
        ("0=8 1=6 2=3", (3, 6, 8)),
        ("0=8 1=6 11=4 2=3", (3, 4, 6, 8)),
        ("", None),
        ("0=0 1=0 2=0", None),
        ("0=8 2=3", None),
        ("0=-233 1=6 2=3", None),
        ("1=6 2=3", None),
        ('0="8"', None),
    ],
)
def test_an_input_tells_its_shape_outermost_first(params: str, shape: Shape | None) -> None:
    graph = parse(text_of("Input x 0 1 data " + params, "ReLU r 1 1 data out", blobs=2))
    assert graph.inputs() == {"data": shape}


def test_inputs_keep_their_order_and_are_told_by_type() -> None:
    graph = parse(text_of("Input b 0 1 b 0=1", "MemoryData m 0 1 m 0=4", "Input a 0 1 a 0=2", blobs=3))
    assert list(graph.inputs().items()) == [("b", (1,)), ("a", (2,))]


def test_outputs_are_what_is_computed_and_never_read() -> None:
    graph = parse(
        text_of(
            "Input x 0 1 x",
            "Input unread 0 1 unread",
            "Slice s 1 3 x late early swallowed",
            "Noop n 1 0 swallowed",
            "Noop p 1 1 early passed",
            blobs=6,
        )
    )
    assert graph.outputs() == ("late", "passed")


@pytest.mark.parametrize(
    "text",
    [
        PNNX_TEXT,
        text_of("Input x 0 1 x", "Noop n 1 0 x", blobs=1),
        text_of("Clip c 0 1 out 0=-3.402823e+38 1=6.000000e+00", blobs=1),
    ],
)
def test_what_pnnx_writes_is_written_back_the_same(text: str) -> None:
    written = param_file.format(parse(text))
    assert written.splitlines()[:2] == text.splitlines()[:2]
    assert [line.split() for line in written.splitlines()] == [line.split() for line in text.splitlines()]


def test_the_columns_are_those_of_pnnx() -> None:
    assert param_file.format(parse(PNNX_TEXT)) == PNNX_TEXT


@pytest.mark.parametrize(
    "params",
    [
        {0: 2147483647, 1: -2147483648},
        {0: 0.1, 1: 1e-05, 2: 1e16, 3: 3.0, 4: -0.30000001, 5: 1.17549435e-38, 6: -3.40282347e38},
        {0: (1, 2), 3: (0.5, 1.2345678), 4: (), 5: (7,)},
        {6: "0w, 1h", 7: "", 8: "abc,d"},
    ],
)
def test_a_written_graph_reads_the_same(params: dict[int, param_file.ParamValue]) -> None:
    graph = Graph((Layer("Noop", "n", (), ("a",), params),))
    written = param_file.format(graph)
    assert parse(written) == graph
    numbers = (item for value in written.split() for item in value.partition("=")[2].split(","))
    assert max(map(len, numbers)) <= 15


def test_an_integer_parameter_is_read_as_one() -> None:
    layer = Layer("Convolution", "c", (), ("a",), {0: 64, 1: 1.5})
    assert (layer.integer(0), layer.integer(2), layer.integer(2, default=9)) == (64, 0, 9)
    with pytest.raises(TypeError, match=r"parameter 1 of layer 'c' is 1\.5"):
        layer.integer(1)


NCNN_VIEW = """
import json, sys, ncnn
net = ncnn.Net()
assert net.load_param(sys.argv[1]) == 0
print(json.dumps([net.input_names(), net.output_names()]))
"""


@pytest.mark.parametrize(
    "text",
    [
        PNNX_TEXT,
        text_of(
            "Input a 0 1 a 0=4", "Slice s 1 2 a x y -23300=2,2,2", "Noop n 1 0 x", "ReLU r 1 1 y z", blobs=4
        ),
        text_of(
            "Input a 0 1 a 0=4 1=2", 'Reshape r 1 1 a b 6="1h,0w"', "Clip c 1 1 b d 0=1.5e-1 1=0.3", blobs=3
        ),
    ],
)
def test_ncnn_sees_the_same_ends_in_what_is_written(text: str, tmp_path: Path) -> None:
    graph = parse(text)
    file = tmp_path / "net.param"
    file.write_text(param_file.format(graph))
    told = subprocess.run(
        [sys.executable, "-c", NCNN_VIEW, str(file)], capture_output=True, text=True, check=True, timeout=60
    )
    inputs, outputs = json.loads(told.stdout)
    assert (list(graph.inputs()), list(graph.outputs())) == (inputs, outputs)
