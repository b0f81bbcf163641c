from __future__ import annotations

from pathlib import Path

import pytest

from ncnn_peakmem.conversion import Cache, ConversionError, Stage, convert
from ncnn_peakmem.network import InputBlob, ModelFiles, NcnnFiles, Network, Shape

WITH_SHAPE = "7767517\n2 2\nInput data 0 1 data 0=8 1=6 2=3\nReLU relu 1 1 data out\n"
POOLING = WITH_SHAPE.replace("ReLU relu 1 1 data out", "Slice slice 1 1 data out -23300=1,-233 1=1")
WITHOUT_SHAPE = WITH_SHAPE.replace(" 0=8 1=6 2=3", "")


@pytest.fixture
def param(tmp_path: Path) -> Path:
    file = tmp_path / "user.param"
    file.write_text(WITH_SHAPE)
    return file


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    file = tmp_path / "user.bin"
    file.write_bytes(bytes(40))
    return file


def described(param: Path, weights: Path | None = None, *shapes: Shape) -> ModelFiles:
    network = Network("user", NcnnFiles(param, weights), shapes)
    return convert(network, Cache(param.parent / "cache"))


def test_files_are_described_where_they_lie(param: Path, weights: Path) -> None:
    model = described(param, weights)
    assert (model.param, model.bin) == (param, weights)
    assert model.inputs == (InputBlob("data", (3, 6, 8)),)
    assert model.outputs == ("out",)
    assert not (param.parent / "cache").exists()


def test_a_param_alone_means_zero_weights(param: Path) -> None:
    assert described(param).bin is None


def test_shapes_of_models_yaml_come_without_batch_and_go_first(param: Path) -> None:
    assert described(param, None, (1, 3, 10, 12)).inputs == (InputBlob("data", (3, 10, 12)),)
    param.write_text(WITHOUT_SHAPE)
    assert described(param, None, (1, 16)).inputs == (InputBlob("data", (16,)),)


def test_the_digest_follows_graph_weight_bytes_and_shapes_but_no_values(param: Path, weights: Path) -> None:
    digest = described(param, weights).digest
    weights.write_bytes(bytes([1]) * 40)
    assert described(param, weights).digest == digest
    weights.write_bytes(bytes(44))
    others = {described(param, weights).digest, described(param).digest}
    others.add(described(param, None, (1, 3, 12, 16)).digest)
    param.write_text(WITH_SHAPE.replace("ReLU", "Sigmoid"))
    others.add(described(param).digest)
    assert len({digest, *others}) == 5


@pytest.mark.parametrize(
    ("text", "shapes", "words"),
    [
        (WITHOUT_SHAPE, [], "does not tell the shape of input data"),
        (WITH_SHAPE, [(1, 3, 6, 8), (1, 4)], "2 input shapes for the inputs data"),
        (WITH_SHAPE, [(2, 3, 6, 8)], "[2, 3, 6, 8] does not begin with a batch of 1"),
        (WITH_SHAPE, [(1,)], "[1] does not begin with a batch of 1"),
        (WITH_SHAPE, [(1, 2, 3, 4, 5, 6)], "[1, 2, 3, 4, 5, 6] is not of 1 to 4 sizes after the batch"),
        (POOLING, [(1, 2, 3, 4, 5, 6)], "[1, 2, 3, 4, 5, 6] is not of 1 to 4 sizes after the batch"),
        (WITH_SHAPE, [(1, 3, 0, 8)], "[1, 3, 0, 8] is not of 1 to 4 sizes after the batch, each above 0"),
        (WITH_SHAPE, [(1, 3, -6, 8)], "[1, 3, -6, 8] is not of 1 to 4 sizes after the batch, each above 0"),
        (WITH_SHAPE.replace("1=6", "1=-6"), [], "does not tell the shape of input data"),
    ],
)
def test_a_wrong_shape_points_at_the_key_in_models_yaml(
    text: str, shapes: list[Shape], words: str, param: Path
) -> None:
    param.write_text(text)
    with pytest.raises(ConversionError) as caught:
        described(param, None, *shapes)
    assert words in str(caught.value)
    assert "give `input_shapes` in models.yaml" in str(caught.value)
    assert str(caught.value).startswith("user: reading the ncnn files failed: ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("7767517\n3 2\nInput data 0 1 data 0=8\nReLU relu 1 1 data out\n", "user.param:4: the file ends"),
        ("7767517\n1 1\nInput data 0 1 data 0=8\n", "has no outputs"),
        ("7767517\n1 1\nMemoryData data 0 1 data 0=8\n", "has no inputs"),
    ],
)
def test_a_param_that_is_no_network_is_refused(text: str, words: str, param: Path) -> None:
    param.write_text(text)
    with pytest.raises(ConversionError) as caught:
        described(param)
    assert words in str(caught.value)
    assert caught.value.stage is Stage.DESCRIBE


@pytest.mark.parametrize("content", [None, b""])
def test_a_missing_or_empty_bin_is_refused(content: bytes | None, param: Path, weights: Path) -> None:
    weights.unlink()
    if content is not None:
        weights.write_bytes(content)
    with pytest.raises(ConversionError, match=r"user\.bin is missing or empty") as caught:
        described(param, weights)
    assert "leave it out to measure with zero weights" in str(caught.value)


def test_a_missing_param_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"none\.param: cannot be read: No such file"):
        described(tmp_path / "none.param")
