"""What a short file can ask for has a limit, which is told before any of it is made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from packaging.version import Version

from ncnn_peakmem import param_file
from ncnn_peakmem.baselines import BaselineError, record
from ncnn_peakmem.catalog import CatalogError, load
from ncnn_peakmem.forecast import NotForecast, Setting, predict
from ncnn_peakmem.graph import GraphError, build, read
from ncnn_peakmem.graph.weights import count
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import Measurement
from ncnn_peakmem.network import InputBlob, Loops, ModelFiles
from ncnn_peakmem.param_file import Graph, Layer, ParamFileError
from ncnn_peakmem.reports import json_report
from tests.hostile.conftest import NETWORK

Hostile = Callable[[str, str], Path]

MOST = 2**31 - 1


def refused(path: Path) -> str:
    with pytest.raises(CatalogError) as caught:
        load(path)
    return str(caught.value)


def test_yaml_that_expands_to_a_billion_laughs(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    lines = ["a0: &a0 [lol, lol]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))]
    path.write_text("\n".join(lines))
    assert refused(path) == f"{path}:2: the alias *a0 is not allowed; write the value out"


def test_yaml_that_merges_itself(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text("a: &a\n  <<: *a\n")
    assert "the alias *a is not allowed" in refused(path)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_yaml_that_is_nested_deeply(tmp_path: Path, opening: str) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(opening * 20_000)
    assert refused(path).startswith(str(path))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[" + "1," * 2001 + "]", "holds 2001 entries; allowed: up to 2000"),
        ("\n".join(f"k{n}: {{a: b}}" for n in range(2001)), "holds 2001 entries"),
        ("\n".join(f"k{n}: [{'1,' * 1999}]" for n in range(11)), "the file comes to"),
        ("# " + "x" * (256 << 10), "is larger than 256 KiB"),
    ],
)
def test_yaml_of_many_entries(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(text)
    assert told in refused(path)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("step_timeout_seconds: 120", "step_timeout_seconds: 1e300", "allowed: 86400 or less"),
        ("step_timeout_seconds: 120", f"step_timeout_seconds: {'9' * 5000}", "allowed: a finite number"),
        ("axes: [mode], threads: [1]", "axes: [mode], threads: [1000000]", "allowed: 1024 or less"),
        (NETWORK, "net: {topology: alexnet, loops: {maximum: 1000000000}}", "allowed: 100000 or less"),
        (NETWORK, "net: {topology: alexnet, loops: {settle_factor: 1e308}}", "allowed: 100 or less"),
        (NETWORK, "net: {param: x.param, input_shapes: [[1, 3000000000]]}", "allowed: less than 2147483648"),
        (NETWORK, f"net: {{param: x.param, input_shapes: [[{'1,' * 9}]]}}", "holds 9; allowed: up to 8"),
        ("reference_release: 1.0.20260526", f"reference_release: 1.0.{'9' * 5000}", "allowed: a version"),
        ("schema: 1", 'schema: "\\U00110000"', "models.yaml:1: has an escape that is no letter"),
        ("schema: 1", 'schema: "\\UFFFFFFFF"', "models.yaml:1: has an escape that is no letter"),
    ],
)
def test_numbers_beyond_reason(hostile_catalog: Hostile, old: str, new: str, told: str) -> None:
    message = refused(hostile_catalog(old, new))
    assert told in message
    assert len(message) < 2000


def axes(count: int, choices: int) -> str:
    return "".join(
        f"  a{axis}: {{default: q{axis}z0z, id: unless_default, choices: "
        f"{{{', '.join(f'q{axis}z{choice}z: {{}}' for choice in range(choices))}}}}}\n"
        for axis in range(count)
    )


def test_a_profile_of_more_cases_than_could_ever_run(hostile_catalog: Hostile) -> None:
    path = hostile_catalog("axes:\n", "axes:\n" + axes(9, 10))
    names = ", ".join(f"a{axis}" for axis in range(9))
    path.write_text(path.read_text().replace("axes: [mode]", f"axes: [{names}]"))
    assert "brings the file above 400000 cases; allowed: up to that many" in refused(path)


def test_a_profile_of_ten_thousand_cases_is_fine(hostile_catalog: Hostile) -> None:
    path = hostile_catalog("axes:\n", "axes:\n" + axes(4, 10))
    path.write_text(path.read_text().replace("axes: [mode]", "axes: [a0, a1, a2, a3]"))
    assert len(load(path).cases("small")) == 10_000


def test_more_axes_or_labels_than_can_be_compared(hostile_catalog: Hostile) -> None:
    assert "holds 66; allowed: up to 64" in refused(hostile_catalog("axes:\n", "axes:\n" + axes(65, 2)))
    assert "holds 65; allowed: up to 64" in refused(hostile_catalog("axes:\n", "axes:\n" + axes(1, 65)))
    assert "has more than 512 labels" in refused(hostile_catalog("axes:\n", "axes:\n" + axes(13, 40)))


def test_a_thousand_mistakes_are_told_in_a_hundred_lines(hostile_catalog: Hostile) -> None:
    names = ", ".join(f"none{number}" for number in range(1500))
    told = refused(hostile_catalog("networks: all", f"networks: [{names}]"))
    assert told.splitlines()[-1] == "... and 1400 more"
    assert len(told.splitlines()) == 101


def test_a_key_as_long_as_the_file_is_not_told_whole(hostile_catalog: Hostile) -> None:
    told = refused(hostile_catalog("schema: 1", f"{'x' * 1000}: 1"))
    assert len(told) < 2000


@pytest.mark.parametrize(
    "text", [b"[" * 10**6, b'{"a":' * 10**6, b'{"schema":' + b"9" * 10**5 + b"}", b"\xff", b"", b"\0", b"NaN"]
)
def test_json_beyond_reason(text: bytes) -> None:
    with pytest.raises(BaselineError):
        record.parse(text, Path("x.json"))
    with pytest.raises(ValueError):
        json_report.parse(text)
    with pytest.raises(ValueError):
        Measurement.from_json(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("7767517\n2147483648 1\n", "the layer count '2147483648' is above 100000"),
        (f"7767517\n1 {'9' * 5000}\n", "is above 100000"),
        ("7767517\n-1 1\n", "the layer count '-1' is not a number"),
        ("7767517\n1 1\nInput a 0 99999999 a\n", "the top count '99999999' is above 100000"),
        ("7767517\n1 1\nReLU a 1 1 a a\n", "reads blob 'a', which no layer above makes"),
        ("7767517\n2 2\nReLU a 1 1 b a\nReLU b 1 1 a b\n", "reads blob 'b', which no layer above makes"),
        (f"7767517\n1 1\nInput a 0 1 a 0={'9' * 5000}\n", "ncnn would read 15 characters only"),
        ("7767517\n1 1\nInput a 0 1 a 0=99999999999\n", "neither a 32-bit integer nor a float"),
        ("7767517\n1 1\nInput a 0 1 a 0=1e999\n", "neither a 32-bit integer nor a float"),
        ("7767517\n1 1\nInput a 0 1 a -23300=2147483647,1\n", "is above 100000"),
        ("7767517\n1 1\nInput a 0 1 a -2147483648=1\n", "expected id=value"),
        ("7767517\n1 1\nInput a 0 1 a 0=\0\n", "neither a 32-bit integer nor a float"),
        ("\ufeff7767517\n1 1\nInput a 0 1 a\n", "not a ncnn text .param file"),
        ("7767517\n1 1\n" + "x" * (1 << 21), "longer than 1048576 characters"),
    ],
)
def test_a_param_file_beyond_reason(text: str, told: str) -> None:
    with pytest.raises(ParamFileError, match=rf"^net.param:\d+: .*{told}") as caught:
        param_file.parse(text, "net.param")
    assert len(str(caught.value)) < 300


def test_weights_of_any_number_are_counted_and_not_made() -> None:
    layer = Layer("Gemm", "g", ("a",), ("b",), {4: 1, 5: 1, 6: 1, 7: MOST, 8: MOST, 9: MOST, 10: 3})
    assert count(layer).weights == 2 * MOST**2


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (Layer("Deconvolution", "d", ("in0",), ("out",), {0: 1, 1: 1, 3: MOST, 6: 8}), "would make a blob"),
        (Layer("Interp", "i", ("in0",), ("out",), {1: 3e38, 2: 3e38}), "would make a blob"),
        (Layer("Padding", "p", ("in0",), ("out",), {0: MOST, 1: MOST}), "would make a blob"),
        (Layer("Padding", "p", ("in0",), ("out",), {0: -MOST}), "would make a blob"),
        (
            Layer("Convolution", "c", ("in0",), ("out",), {0: 1, 1: 1, 3: 0, 4: -233, 6: 8}),
            "has a window of 1",
        ),
        (Layer("Pooling", "p", ("in0",), ("out",), {1: 1, 2: 0}), "has a window of 1"),
        (Layer("BatchNorm", "b", ("in0",), ("out",), {0: -8}), "announces -24 weights"),
        (Layer("ReLU", "r", ("in0",), ("out",), {0: "x"}), ""),
        (Layer("Concat", "c", ("in0",), ("out",), {0: 0.5}), "is 0.5, not an integer"),
    ],
)
def test_shapes_beyond_reason(layer: Layer, told: str) -> None:
    network = Graph((Layer("Input", "in0", (), ("in0",), {}), layer))
    inputs = [InputBlob("in0", (8, 1000, 1000))]
    if not told:
        assert build(network, inputs).shapes["out"] == (8, 1000, 1000)
        return
    with pytest.raises(GraphError, match=told):
        build(network, inputs)


@pytest.mark.parametrize("shape", [(2**31,), (0,), (-1, 2), (), (1, 1, 1, 1, 1)])
def test_inputs_that_no_blob_can_be(shape: tuple[int, ...]) -> None:
    network = Graph((Layer("Input", "in0", (), ("in0",), {}), Layer("ReLU", "r", ("in0",), ("out",), {})))
    with pytest.raises(GraphError, match="the input 'in0' cannot be"):
        build(network, [InputBlob("in0", shape)])


class Counted(tuple[str, ...]):
    """Names that count how often they are looked at."""

    looks = 0

    def __iter__(self) -> Iterator[str]:
        for name in super().__iter__():
            Counted.looks += 1
            yield name


def test_a_layer_that_reads_many_blobs_is_looked_at_once() -> None:
    """Not once again for each of the layers that have to run before it."""
    wide = 2000
    splits = Layer("Split", "s", ("in0",), tuple(f"a{n}" for n in range(wide)), {})
    each = [Layer("Dropout", f"r{n}", (f"a{n}",), (f"b{n}",), {}) for n in range(wide)]
    joined = Layer("Concat", "c", Counted(f"b{n}" for n in range(wide)), ("out",), {})
    network = Graph((Layer("Input", "in0", (), ("in0",), {}), splits, *each, joined))
    Counted.looks = 0
    assert build(network, [InputBlob("in0", (1,))], ["out"]).shapes["out"] == (wide,)
    assert Counted.looks < 10 * wide


SETTING = Setting(MachineClass("x86_64", ("avx512",), 1 << 20, 2, 4096, "glibc2.36"), Version("1.0.20261020"))


def test_a_network_too_large_to_forecast_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ncnn_peakmem.forecast.engine._MOST_WORK", 10_000)
    layers = [Layer("Input", "in0", (), ("in0",), {})]
    for number in range(300):
        below = layers[-1].tops[0]
        layers.append(Layer("Pooling", f"p{number}", (below,), (f"b{number}",), {1: 1}))
    path = tmp_path / "net.param"
    path.write_text(param_file.format(Graph(tuple(layers))))
    model = ModelFiles(path, None, (InputBlob("in0", (4, 2, 2)),), ("b299",), "")
    assert len(read(model).nodes) == 300
    with pytest.raises(NotForecast, match="would take too long"):
        predict(model, Setting(SETTING.machine, SETTING.release, {"lightmode": False}), Loops(5000, 5000))


def test_a_blob_with_two_readers_is_refused_in_light_mode(tmp_path: Path) -> None:
    path = tmp_path / "net.param"
    path.write_text("7767517\n3 3\nInput i 0 1 in0\nReLU a 1 1 in0 x\nBinaryOp b 2 1 in0 x out\n")
    model = ModelFiles(path, None, (InputBlob("in0", (4,)),), ("out",), "")
    with pytest.raises(NotForecast, match="2 layers read blob 'in0': in light mode it takes a Split"):
        predict(model, SETTING, Loops())


@pytest.mark.parametrize("parse", [lambda text: record.parse(text, Path("x.json")), json_report.parse])
def test_json_of_more_entries_than_anybody_measured(
    parse: Callable[[bytes], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (record, json_report):
        monkeypatch.setattr(module, "_MOST_ENTRIES", 100)
    with pytest.raises(ValueError, match="more than 100 entries"):
        parse(json.dumps({f"k{number}": {} for number in range(101)}).encode())


def test_a_hundred_thousand_mistakes_are_told_as_one() -> None:
    text = json.dumps({f"k{number}": {} for number in range(100_000)}).encode()
    with pytest.raises(BaselineError, match=r"has 10000\d mistakes, so it is no baseline"):
        record.parse(text, Path("x.json"))


def test_a_key_that_hides_another_of_its_name(hostile_catalog: Hostile) -> None:
    assert "'schema' is here twice" in refused(hostile_catalog("schema: 1", "schema: 1\nschema: 1"))
    with pytest.raises(BaselineError, match="has the key 'schema' twice"):
        record.parse(json.dumps({"schema": 1})[:-1].encode() + b', "schema": 1}', Path("x.json"))
