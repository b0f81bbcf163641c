"""A `.bin` read and written array by array, and what is said of one that does not belong to its `.param`."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ncnn_peakmem import param_file
from ncnn_peakmem.model_bin import (
    BytesLeft,
    CutShort,
    Kind,
    ModelBinError,
    Slot,
    Storage,
    UnknownLayer,
    Writer,
    slots,
    walk,
)
from ncnn_peakmem.param_file import Graph, Layer


def layer(line: str) -> Layer:
    """A layer from its type and its parameters."""
    kind, _, params = line.partition(" ")
    text = f"7767517\n2 2\nInput in 0 1 in\n{kind} it 1 1 in out {params}\n"
    return param_file.parse(text).layers[1]


def graph_of(*lines: str) -> Graph:
    return Graph(tuple(layer(line) for line in lines))


def written(lines: tuple[str, ...], storage: Storage = Storage.FP32) -> bytes:
    """The file of these layers, all zeros, its tagged arrays stored like that."""
    stream = io.BytesIO()
    for line in lines:
        for slot in slots(layer(line)):
            kind = storage if slot.tagged else Storage.FP32
            Writer(stream).put(slot, bytes(kind.bytes(slot.count)), kind)
    return stream.getvalue()


READ = {
    "Convolution 0=4 5=1 6=12": "weight:12t bias:4",
    "Convolution 0=4 5=1 6=12 19=1": "",
    "Convolution 0=4 5=1 6=12 8=2": "weight:12t bias:4 weight scales:4 bottom scale:1",
    "Convolution 0=4 6=12 8=102": "weight:12t weight scales:4 bottom scale:1 top scale:1",
    "ConvolutionDepthWise 0=6 6=54 7=3 8=1": "weight:54t weight scales:3 bottom scale:1",
    "ConvolutionDepthWise 0=6 6=54 7=3 8=101": "weight:54t weight scales:3 bottom scale:1 top scale:1",
    "ConvolutionDepthWise 0=6 6=54 7=3 8=102": "weight:54t weight scales:1 bottom scale:1 top scale:1",
    "Deconvolution 0=4 6=12 28=1": "",
    "InnerProduct 0=4 1=1 2=12 8=2": "weight:12t bias:4 weight scales:4 bottom scale:1",
    "Embed 0=4 3=12 18=2": "weight:12t weight scale:1",
    "Gemm 5=1 6=1 8=4 9=3 10=4": "B:12t C:4t",
    "Gemm 4=1 5=1 6=1 7=2 8=4 9=3 10=-1 18=2": "A:6t B:12t A scales:2 B scale:1",
    "Gemm 3=1 5=1 8=4 9=100 18=411": "B:200t B scales:8 B input scales:100",
    "LSTM 0=2 1=48 2=2 3=3": "input weight:48t bias:24t hidden weight:48t projection weight:12t",
    "GRU 0=2 1=30 8=2": "input weight:30t bias:8t hidden weight:12t input scales:6 hidden scales:6",
    "RNN 0=2 1=10": "input weight:10t bias:2t hidden weight:4t",
    "MemoryData 0=4 1=3": "data:12",
    "MemoryData 0=4 1=3 21=0": "data:12t",
    "MemoryData": "",
    "Padding 6=4": "pad values:4",
    "Scale 0=-233 1=1": "",
    "SDPA": "",
    "ReLU": "",
    "NotOfNcnn 0=4 6=12": "",
}
"""What a layer reads: role:count, and a t where a tag comes before."""


@pytest.mark.parametrize(("line", "expected"), READ.items())
def test_what_a_layer_reads(line: str, expected: str) -> None:
    told = " ".join(f"{slot.role}:{slot.count}{'t' * slot.tagged}" for slot in slots(layer(line)))
    assert told == expected


def test_attention_reads_four_matrices_each_with_its_bias_and_then_scales() -> None:
    read = slots(layer("MultiHeadAttention 0=8 2=48 3=4 4=2 18=2"))
    assert [slot.count for slot in read] == [48, 8, 32, 8, 16, 8, 48, 6, 8, 8, 8, 1]
    assert [slot.kind for slot in read[-4:]] == [Kind.SCALE] * 4


@pytest.mark.parametrize("storage", Storage)
def test_a_file_is_written_as_it_is_read(storage: Storage, tmp_path: Path) -> None:
    lines = ("Convolution 0=4 5=1 6=13", "PReLU 0=3", "InnerProduct 0=2 1=1 2=6")
    (tmp_path / "net.bin").write_bytes(written(lines, storage))

    stored = list(walk(graph_of(*lines), tmp_path / "net.bin"))

    assert [array.storage for array in stored if array.slot.tagged] == [storage] * 2
    assert sum(array.size for array in stored) == (tmp_path / "net.bin").stat().st_size
    stream = io.BytesIO()
    for array in stored:
        Writer(stream).copy(array)
    assert stream.getvalue() == (tmp_path / "net.bin").read_bytes()


@pytest.mark.parametrize(
    ("storage", "expected", "size"),
    [
        (Storage.FP32, np.array([-1.5, 0.1, 100], np.float32), 16),
        (Storage.EXTRA_SCALED, np.array([-1.5, 0.1, 100], np.float32), 16),
        (Storage.FP16, np.array([-1.5, 0.1, 100], np.float16).astype(np.float32), 12),
        (Storage.INT8, np.array([-1, 0, 100], np.int8), 8),
    ],
)
def test_numbers_come_back(
    storage: Storage, expected: np.ndarray[tuple[int], np.dtype[np.generic]], size: int, tmp_path: Path
) -> None:
    (slot,) = slots(layer("InnerProduct 0=1 2=3"))
    with (tmp_path / "net.bin").open("wb") as stream:
        Writer(stream).put(slot, expected, storage)

    (stored,) = walk(graph_of("InnerProduct 0=1 2=3"), tmp_path / "net.bin")

    assert (stored.storage, stored.size) == (storage, size)
    assert stored.read().dtype == expected.dtype
    assert np.array_equal(stored.read(), expected)


def test_a_codebook_is_looked_up(tmp_path: Path) -> None:
    table = np.arange(256, dtype="<f4") / 2
    content = (7).to_bytes(4, "little") + table.tobytes() + bytes([0, 255, 3, 0])
    (tmp_path / "net.bin").write_bytes(content)

    (stored,) = walk(graph_of("InnerProduct 0=1 2=3"), tmp_path / "net.bin")

    assert stored.storage is Storage.CODEBOOK
    assert stored.read().tolist() == [0, 127.5, 1.5]


def test_an_array_longer_than_a_piece_is_written_whole(tmp_path: Path) -> None:
    count = (1 << 20) + 3
    slot = Slot("it", "weight", count, tagged=True)
    numbers = np.arange(count, dtype=np.float32)
    with (tmp_path / "net.bin").open("wb") as stream:
        Writer(stream).put(slot, numbers)
    (stored,) = walk(graph_of(f"InnerProduct 0=1 2={count}"), tmp_path / "net.bin")
    assert np.array_equal(stored.read(), numbers)


@pytest.mark.parametrize(
    ("storage", "content", "words"),
    [
        (Storage.FP32, [1, 2], "is given 8 bytes, and 3 numbers as fp32 are 12"),
        (Storage.INT8, b"four", "is given 4 bytes, and 3 numbers as int8 are 3"),
        (Storage.CODEBOOK, [1, 2, 3], "codebook is written as bytes only"),
    ],
)
def test_what_does_not_fit_is_not_written(storage: Storage, content: list[int] | bytes, words: str) -> None:
    stream = io.BytesIO()
    with pytest.raises(ValueError, match=words):
        Writer(stream).put(Slot("it", "weight", 3, tagged=True), content, storage)
    assert stream.getvalue() == b""


def test_an_array_without_a_tag_is_fp32() -> None:
    with pytest.raises(ValueError, match="the bias of layer 'it' cannot be fp16"):
        Writer(io.BytesIO()).put(Slot("it", "bias", 1, tagged=False), [1], Storage.FP16)


LINES = ("Convolution 0=4 5=1 6=12", "ReLU", "InnerProduct 0=2 2=6")


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "the weight of layer 'it' needs 4 bytes from byte 0 on, and the file ends after 0 of them"),
        (51, "the weight of layer 'it' needs 52 bytes from byte 0 on, and the file ends after 51 of them"),
        (60, "the bias of layer 'it' needs 16 bytes from byte 52 on, and the file ends after 8 of them"),
        (70, "the weight of layer 'it' needs 4 bytes from byte 68 on, and the file ends after 2 of them"),
    ],
)
def test_a_file_that_is_cut_short(size: int, words: str, tmp_path: Path) -> None:
    file = tmp_path / "net.bin"
    file.write_bytes(written(LINES)[:size])
    with pytest.raises(CutShort) as refusal:
        list(walk(graph_of(*LINES), file))
    assert str(refusal.value) == f"{file} is cut short: {words}"


def test_a_file_that_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "net.bin"
    file.write_bytes(written(LINES) + b"more")
    arrays = walk(graph_of(*LINES), file)
    assert [next(arrays).slot.role for _ in range(3)] == ["weight", "bias", "weight"]
    with pytest.raises(BytesLeft, match="has 4 bytes after the 96 that its layers read"):
        next(arrays)


def test_a_layer_of_which_nothing_is_known(tmp_path: Path) -> None:
    (tmp_path / "net.bin").write_bytes(written(LINES))
    arrays = walk(graph_of(LINES[0], "Mine", LINES[2]), tmp_path / "net.bin")
    assert [next(arrays).slot.role for _ in range(2)] == ["weight", "bias"]
    with pytest.raises(UnknownLayer, match="what layer 'it' of type Mine reads from byte 68 on"):
        next(arrays)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Convolution 0=4 6=-12", "the weight of layer 'it' has -12 numbers"),
        ("Convolution 0=4 6=1.5", "parameter 6 of layer 'it' is 1.5, not an integer"),
    ],
)
def test_a_layer_that_makes_no_sense(line: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "net.bin"
    file.write_bytes(bytes(64))
    with pytest.raises(ModelBinError) as refusal:
        list(walk(graph_of(line), file))
    assert str(refusal.value) == f"{file}: {words}"


@pytest.mark.parametrize("odd", ["none", "folder", "pipe"])
def test_what_is_no_file_is_not_waited_for(odd: str, tmp_path: Path) -> None:
    place = tmp_path / "net.bin"
    if odd == "folder":
        place.mkdir()
    elif odd == "pipe":
        subprocess.run(["mkfifo", place], check=True)
    with pytest.raises(ModelBinError, match=r"net\.bin cannot be read: "):
        list(walk(graph_of(*LINES), place))


def test_absurd_counts_take_no_memory(tmp_path: Path) -> None:
    """Neither does a sparse file that is long enough: what is not looked at is not read."""
    count = 2**31 - 1
    program = f"""
import resource, sys
from pathlib import Path
from ncnn_peakmem import model_bin, param_file
resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28))
graph = param_file.parse("7767517\\n2 2\\nInput in 0 1 in\\nInnerProduct it 1 1 in out 0=1 2={count}\\n")
(stored,) = model_bin.walk(graph, Path(sys.argv[1]))
print(stored.size)
"""
    long = tmp_path / "long.bin"
    with long.open("wb") as stream:
        stream.truncate(4 + 4 * count)
    told = subprocess.run(
        [sys.executable, "-c", program, str(long)], capture_output=True, text=True, timeout=60, check=True
    )
    assert told.stdout == f"{4 + 4 * count}\n"
