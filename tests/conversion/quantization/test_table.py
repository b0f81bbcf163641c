"""Tables of scales: read as ncnn2table writes them, written so that it could have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ncnn_peakmem import param_file
from ncnn_peakmem.conversion.quantization import QuantizationError, table
from ncnn_peakmem.conversion.quantization.table import Scales
from ncnn_peakmem.conversion.quantization.target import targets

GRAPH = param_file.parse("""\
7767517
4 4
Input        data 0 1 data
Convolution  c    1 1 data c 0=3 1=1 6=9
InnerProduct fc   1 1 c fc 0=2 2=6
Softmax      s    1 1 fc s
""")
WHOLE = "c_param_0 1.5 2 3 \nfc_param_0 4 5 \nc 10.25 \nfc 20 \n"


def read(folder: Path, text: str) -> dict[str, Scales]:
    """A table's scales for the graph above."""
    path = folder / "net.table"
    path.write_text(text)
    return dict(table.read(path, GRAPH, targets(GRAPH, gemm=False)))


def test_a_table_of_ncnn2table_is_read(tmp_path: Path) -> None:
    scales = read(tmp_path, WHOLE)

    assert scales["c"].weights.tolist() == [1.5, 2, 3]
    assert scales["c"].bottom == 10.25
    assert scales["fc"].weights.tolist() == [4, 5]


def test_what_is_written_is_read_back_to_the_bit(tmp_path: Path) -> None:
    random = np.random.default_rng(0).uniform(0.001, 9000, 6).astype(np.float32)
    scales = {"c": Scales(random[:3], random[3]), "fc": Scales(random[:2], random[5])}

    back = read(tmp_path, table.write(scales))

    assert {name: of.weights.tolist() for name, of in back.items()} == {
        name: of.weights.tolist() for name, of in scales.items()
    }
    assert [of.bottom for of in back.values()] == [of.bottom for of in scales.values()]


def test_weights_come_first_as_ncnn2table_has_them(tmp_path: Path) -> None:
    text = table.write(read(tmp_path, WHOLE))

    assert text == "c_param_0 1.5 2 3\nfc_param_0 4 5\nc 10.25\nfc 20\n"


def test_a_layer_without_the_scale_of_what_it_reads_stays_float(tmp_path: Path) -> None:
    assert list(read(tmp_path, "c_param_0 1 2 3\nfc_param_0 4 5\nfc 20\n")) == ["fc"]


def test_lines_about_layers_that_are_not_quantized_are_passed_over(tmp_path: Path) -> None:
    assert list(read(tmp_path, f"{WHOLE}s_param_0 1 2 3 4\n")) == ["c", "fc"]


def test_a_channel_of_zeros_is_infinity_to_ncnn2table(tmp_path: Path) -> None:
    assert read(tmp_path, WHOLE.replace("1.5", "inf"))["c"].weights.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("fc_param_0 4", "gone_param_0 4", ":2: the network has no layer 'gone'"),
        ("fc 20", "gone 20", ":4: the network has no layer 'gone'"),
        ("1.5 2 3", "1.5 2", ":1: 'c_param_0' has 2 scales; the layer takes 3"),
        ("10.25", "10.25 3", ":3: 'c' has 2 scales; the layer takes 1"),
        ("fc_param_0 4 5 \n", "", ":3: layer 'fc' has no line 'fc_param_0'"),
        ("fc 20", "c 20", ":4: 'c' is given twice"),
        ("20", "twenty", ":4: 'twenty' is not a number"),
        ("20", "0", ":4: '0' is no scale; scales are above zero"),
        ("20", "-3", ":4: '-3' is no scale"),
        ("20", "nan", ":4: 'nan' is no scale"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(QuantizationError) as raised:
        read(tmp_path, WHOLE.replace(old, new, 1))

    assert words in str(raised.value)
    assert str(tmp_path / "net.table") in str(raised.value)


def test_a_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.table"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(QuantizationError, match="not text"):
        table.read(path, GRAPH, ())


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(QuantizationError, match=r"gone\.table: cannot be read: No such file"):
        table.read(tmp_path / "gone.table", GRAPH, ())
