"""What a network is calibrated on: generated inputs, or a folder's files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ncnn_peakmem import param_file
from ncnn_peakmem.conversion.quantization import QuantizationError, data_folder, generated_input
from ncnn_peakmem.conversion.quantization.calibration import feed
from ncnn_peakmem.network import Calibration, InputBlob

PICTURE = InputBlob("data", (3, 16, 24))
EMPTY = param_file.Graph(())
EMBED = param_file.parse(
    "7767517\n3 4\nInput words 0 1 words\nSplit s 1 2 words a b\nEmbed e 1 1 b out 0=8 1=5 3=40\n"
)


HOSTILE_HEADERS = [
    b"{'descr': '<f4', 'shape': (3,",
    b"(" * 900,
    b"{[]: 1}",
    b"{'descr': (), 'fortran_order': False, 'shape': (3,)}",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,)}",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 3)}",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (True, None)}",
]


def array_of(header: bytes) -> bytes:
    """A .npy file of that header, and a few numbers."""
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64)


def picture(number: int) -> npt.NDArray[np.float32]:
    """One generated input of a large picture."""
    return generated_input.calibrating(number, [InputBlob("data", (3, 64, 64))], EMPTY)["data"]


def test_a_number_always_gives_the_same_inputs() -> None:
    first, again, other = picture(0), picture(0), picture(1)

    assert first.dtype == np.float32
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_unseen_inputs_are_not_those_of_calibration() -> None:
    seen = {generated_input.calibrating(number, [PICTURE], EMPTY)["data"].tobytes() for number in range(20)}
    unseen = {generated_input.unseen(number, [PICTURE], EMPTY)["data"].tobytes() for number in range(20)}

    assert len(seen | unseen) == 40


def test_pictures_are_of_many_contrasts_and_from_rough_to_smooth() -> None:
    pictures = [picture(number) for number in range(32)]
    contrasts = [float(values.std()) for values in pictures]
    # 2 for white noise, whose neighbours have nothing in common; 0 for what is smooth.
    roughness = [float(np.diff(values).var() / values.var()) for values in pictures]

    assert min(contrasts) < 0.4
    assert max(contrasts) > 1.2
    assert min(roughness) < 0.1
    assert max(roughness) > 1.5
    assert max(float(np.abs(values).max()) for values in pictures) <= 3


@pytest.mark.parametrize("shape", [(7,), (5, 9), (3, 2, 2), (2, 3, 9, 9), (1, 1, 1)])
def test_inputs_of_any_rank_are_generated(shape: tuple[int, ...]) -> None:
    values = generated_input.calibrating(0, [InputBlob("data", shape)], EMPTY)["data"]

    assert values.shape == shape
    assert np.isfinite(values).all()


def test_words_are_indices_into_the_vocabulary() -> None:
    values = generated_input.calibrating(0, [InputBlob("words", (400,))], EMBED)["words"]

    assert set(values.view(np.int32).tolist()) == {0, 1, 2, 3, 4}


def test_a_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b", "c", "a"):
        np.save(tmp_path / f"{name}.npy", np.full(PICTURE.shape, ord(name), np.float32))
    (tmp_path / "notes.txt").write_text("none of this")

    given, count = feed(Calibration(data=tmp_path, inputs=2), [PICTURE], EMPTY)

    assert count == 2
    assert [inputs["data"][0, 0, 0] for inputs in given()] == [ord("a"), ord("b")]
    assert len(list(given())) == 2


def test_indices_stay_the_integers_that_ncnn_reads(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[4, 0, 3]], np.int64))
    words = InputBlob("words", (3,))

    (run,) = feed(Calibration(data=tmp_path), [words], EMBED)[0]()

    assert run["words"].dtype == np.float32
    assert run["words"].view(np.int32).tolist() == [4, 0, 3]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.ones(3, np.float32), "give an array of integers"),
        (np.array([1, 2, 1 << 32]), "holds indices that are no int32"),
    ],
)
def test_what_is_no_index_is_refused(tmp_path: Path, values: npt.NDArray[Any], told: str) -> None:
    np.save(tmp_path / "a.npy", values)
    given, _ = feed(Calibration(data=tmp_path), [InputBlob("words", (3,))], EMBED)

    with pytest.raises(QuantizationError, match=rf"a\.npy: .*{told}"):
        next(given())


def test_a_comment_may_stand_between_any_two_words(tmp_path: Path) -> None:
    (tmp_path / "a.pgm").write_bytes(b"P5 # grey\n4 #wide\n# and\n2 # high\n255\n" + bytes(8))

    assert data_folder.read(tmp_path / "a.pgm", (1, 2, 4)).shape == (1, 2, 4)


def test_a_pipe_in_the_folder_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.ones(PICTURE.shape, np.float32))

    assert feed(Calibration(data=tmp_path), [PICTURE], EMPTY)[1] == 1


def test_a_batch_of_one_is_taken_off(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(3 * 16 * 24).reshape(1, *PICTURE.shape))

    values = data_folder.read(tmp_path / "a.npy", PICTURE.shape)

    assert values.dtype == np.float32
    assert values.shape == PICTURE.shape
    assert values[2, 15, 23] == 3 * 16 * 24 - 1


def test_several_inputs_have_a_folder_each(tmp_path: Path) -> None:
    blobs = [InputBlob("in0", (4,)), InputBlob("in1", (2, 2))]
    for blob in blobs:
        (tmp_path / blob.name).mkdir()
        np.save(tmp_path / blob.name / "a.npy", np.ones(blob.shape, np.float32))

    (run,) = feed(Calibration(data=tmp_path), blobs, EMPTY)[0]()
    np.save(tmp_path / "in1" / "b.npy", np.ones((2, 2), np.float32))

    assert {name: values.shape for name, values in run.items()} == {"in0": (4,), "in1": (2, 2)}
    with pytest.raises(QuantizationError, match="as many files for each input: 1 for in0, 2 for in1"):
        feed(Calibration(data=tmp_path), blobs, EMPTY)


@pytest.mark.parametrize(
    ("name", "kind", "shape", "white"),
    [("a.ppm", "P6", (3, 2, 4), (1 - 0.485) / 0.229), ("a.pgm", "P5", (1, 2, 4), 2.0)],
)
def test_an_image_is_normalized(
    tmp_path: Path, name: str, kind: str, shape: tuple[int, int, int], white: float
) -> None:
    pixels = np.zeros((2, 4, shape[0]), np.uint8)
    pixels[1, 3, 0] = 255
    (tmp_path / name).write_bytes(f"{kind}\n# by hand\n4 2\n255\n".encode() + pixels.tobytes())

    values = data_folder.read(tmp_path / name, shape)

    assert values[0, 1, 3] == pytest.approx(white, rel=1e-5)
    assert values[0, 0, 0] < 0
    assert values.shape == shape


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros((3, 16, 23)), r"has the shape \[3, 16, 23\]; the input's is \[3, 16, 24\]"),
        (np.zeros((2, 3, 16, 24)), r"has the shape \[2, 3, 16, 24\]"),
        (np.full(PICTURE.shape, np.inf), "holds numbers that are not finite"),
        (np.full(PICTURE.shape, 1e300), "holds numbers that are not finite"),
        (np.full(PICTURE.shape, "x"), "is no array of numbers"),
        (np.full((1,), {}), "cannot be read as an array"),
    ],
)
def test_an_array_that_does_not_fit_is_named(tmp_path: Path, values: npt.NDArray[Any], words: str) -> None:
    np.save(tmp_path / "bad.npy", values, allow_pickle=True)

    with pytest.raises(QuantizationError, match=rf"bad\.npy: {words}"):
        data_folder.read(tmp_path / "bad.npy", PICTURE.shape)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("bad.npy", b"\x93NUMPY\x01", "cannot be read as an array"),
        ("bad.npy", b"", "cannot be read as an array"),
        *(("bad.npy", array_of(header), "cannot be read as an array") for header in HOSTILE_HEADERS),
        ("bad.ppm", b"P6" + b" " * 40 + b"x", "is no binary PGM or PPM"),
        ("bad.ppm", b"P6" + b"\n#" * 40 + b"\nx", "is no binary PGM or PPM"),
        ("bad.ppm", b"P3\n2 2\n255\n0 0 0", "is no binary PGM or PPM"),
        (
            "bad.ppm",
            b"P6\n24 16\n65535\n" + bytes(3 * 2 * 24 * 16),
            "is no binary PGM or PPM image of 8 bits",
        ),
        ("bad.ppm", b"P6\n24 16\n255\n" + bytes(100), "is cut short"),
        ("bad.ppm", b"P6\n2 2\n255\n" + bytes(12), r"has the shape \[3, 2, 2\]"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(QuantizationError, match=rf"bad\.\w+: {words}"):
        data_folder.read(tmp_path / name, PICTURE.shape)


def test_without_pillow_a_png_tells_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "PIL.Image", None)
    (tmp_path / "a.png").write_bytes(b"\x89PNG")

    with pytest.raises(QuantizationError, match=r"a\.png: .*pip install pillow"):
        data_folder.read(tmp_path / "a.png", PICTURE.shape)


def test_a_png_is_read_as_a_portable_image_of_the_same_pixels(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="the extra `images` is not installed")
    pixels = np.random.default_rng(1).integers(0, 256, (16, 24, 3), np.uint8)
    image.fromarray(pixels).save(tmp_path / "a.png")
    (tmp_path / "a.ppm").write_bytes(b"P6\n24 16\n255\n" + pixels.tobytes())

    png, ppm = (data_folder.read(tmp_path / name, PICTURE.shape) for name in ("a.png", "a.ppm"))

    assert png.tolist() == ppm.tolist()


def test_a_png_that_is_cut_short_is_named(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="the extra `images` is not installed")
    image.new("RGB", (24, 16), "teal").save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])

    with pytest.raises(QuantizationError, match=r"a\.png: cannot be read as an image"):
        data_folder.read(tmp_path / "a.png", PICTURE.shape)


def test_an_image_fits_no_vector(tmp_path: Path) -> None:
    with pytest.raises(QuantizationError, match=r"a\.ppm: an image fits no input of the shape \[7\]"):
        data_folder.read(tmp_path / "a.ppm", (7,))


def test_a_folder_without_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(QuantizationError, match=r"holds no calibration data \(\.jpeg"):
        feed(Calibration(data=tmp_path), [PICTURE], EMPTY)
    with pytest.raises(QuantizationError, match="gone: cannot be read: No such file"):
        feed(Calibration(data=tmp_path / "gone"), [PICTURE], EMPTY)


def test_calibration_needs_an_input() -> None:
    with pytest.raises(QuantizationError, match="takes one input at least, not 0"):
        feed(Calibration(inputs=0), [PICTURE], EMPTY)
