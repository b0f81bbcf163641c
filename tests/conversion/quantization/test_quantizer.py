"""int8 files of a small network, judged by what ncnn computes with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ncnn_peakmem import model_bin, param_file
from ncnn_peakmem.conversion.fidelity import compare
from ncnn_peakmem.conversion.quantization import QuantizationError, Report, quantizer
from ncnn_peakmem.conversion.quantization.quantizer import quantize
from ncnn_peakmem.model_bin import Storage
from ncnn_peakmem.network import Calibration, CalibrationMethod, InputBlob

Files = tuple[Path, Path]
Network = Callable[..., Files]
Blobs = tuple[InputBlob, ...]

INT8 = ("wide", "deep", "point", "one", "fc")
MANY = Calibration(CalibrationMethod.MIN_MAX, inputs=64)
GEMM = """\
7767517
2 2
Input data 0 1 data
Gemm  mul  1 1 data out 2=0 3={transposed} 4=0 5=1 6=1 7=0 8=12 9=20 10=4
"""


def made(
    files: Files,
    blobs: Blobs,
    calibration: Calibration = MANY,
    *,
    gemm: bool = False,
    requantize: bool = True,
    out_table: Path | None = None,
) -> tuple[Files, Report]:
    """The int8 files of a network, beside its float ones."""
    out = files[0].with_name("int8.param"), files[1].with_name("int8.bin")
    report = quantize(*files, blobs, calibration, *out, gemm=gemm, out_table=out_table, requantize=requantize)
    return out, report


def cosine(reference: Files, other: Files, blobs: Blobs) -> float:
    """How near the only output is to the reference's."""
    (found,) = compare(reference, other, blobs, 6)
    return found.worst


def arrays(files: Files) -> dict[tuple[str, str], tuple[Storage, npt.NDArray[np.float32]]]:
    """All that the layers of a model read."""
    walked = model_bin.walk(param_file.read(files[0]), files[1])
    return {(found.slot.layer, found.slot.role): (found.storage, found.read()) for found in walked}


@pytest.mark.parametrize("method", CalibrationMethod)
def test_int8_answers_as_the_float_network_does(
    write_network: Network, blobs: Blobs, method: CalibrationMethod
) -> None:
    files = write_network()

    int8, report = made(files, blobs, Calibration(method, inputs=64))

    assert report == Report(INT8, ("wide", "deep"), (), 64)
    assert 0.995 < cosine(files, int8, blobs) < 1


def test_handing_on_integers_changes_next_to_nothing(write_network: Network, blobs: Blobs) -> None:
    files = write_network()
    plain, report = made(files, blobs, requantize=False)
    kept = (
        plain[0].rename(plain[0].with_name("plain.param")),
        plain[1].rename(plain[1].with_name("plain.bin")),
    )

    fused, _ = made(files, blobs)

    assert report.requantized == ()
    assert cosine(kept, fused, blobs) > 0.9995


def test_weights_are_a_quarter_and_all_else_stays(write_network: Network, blobs: Blobs) -> None:
    files = write_network()

    int8, _ = made(files, blobs)

    before, after = arrays(files), arrays(int8)
    storages = {role: storage for (name, role), (storage, _) in after.items() if name != "group"}
    assert storages == dict.fromkeys(storages, Storage.FP32) | {"weight": Storage.INT8}
    assert after["group", "weight"][0] is Storage.FP32
    for key, (_, numbers) in before.items():
        if key[1] == "bias":
            assert after[key][1].tolist() == numbers.tolist()
    assert after["wide", "top scale"][1] == after["deep", "bottom scale"][1]
    assert ("fc", "top scale") not in after


def test_kernels_of_winograd_have_six_bits(write_network: Network, blobs: Blobs) -> None:
    int8, _ = made(write_network(), blobs)

    largest = {
        key[0]: np.abs(numbers).max() for key, (kind, numbers) in arrays(int8).items() if kind == "int8"
    }
    assert largest == {"wide": 31, "deep": 127, "point": 127, "one": 127, "fc": 127}


@pytest.mark.parametrize("numbers_at_a_time", [1, 100])
def test_a_large_layer_is_quantized_piece_by_piece(
    write_network: Network, blobs: Blobs, monkeypatch: pytest.MonkeyPatch, numbers_at_a_time: int
) -> None:
    files = write_network()
    whole = [file.read_bytes() for file in made(files, blobs)[0]]
    monkeypatch.setattr(quantizer, "_NUMBERS_AT_A_TIME", numbers_at_a_time)

    assert [file.read_bytes() for file in made(files, blobs)[0]] == whole


def test_a_channel_of_zero_weights_gives_its_bias(write_network: Network, blobs: Blobs) -> None:
    def silence(layer: str, role: str, numbers: npt.NDArray[np.float64]) -> None:
        if role == "weight" and layer in {"wide", "deep", "fc"}:
            numbers[: len(numbers) // 8] = 0

    files = write_network(change=silence)
    int8, _ = made(files, blobs)

    assert cosine(files, int8, blobs) > 0.99


def test_inputs_of_zeros_alone_leave_a_network_that_runs(
    write_network: Network, blobs: Blobs, tmp_path: Path
) -> None:
    np.save(tmp_path / "nothing.npy", np.zeros((3, 24, 24), np.float32))

    def silence(layer: str, role: str, numbers: npt.NDArray[np.float64]) -> None:
        if role == "bias":
            numbers[:] = 0

    files = write_network(change=silence)
    int8, _ = made(files, blobs, Calibration(CalibrationMethod.KL, data=tmp_path))

    assert all(np.isfinite(numbers).all() for _, numbers in arrays(int8).values())
    assert np.isfinite(cosine(files, int8, blobs))


def test_a_table_takes_the_place_of_calibration(write_network: Network, blobs: Blobs, tmp_path: Path) -> None:
    files = write_network()
    table = tmp_path / "net.table"
    int8, _ = made(files, blobs, out_table=table)
    first = [file.read_bytes() for file in int8]

    again, report = made(files, blobs, Calibration(table=table))

    assert [file.read_bytes() for file in again] == first
    assert report.inputs == 0


def test_a_layer_that_the_table_leaves_out_stays_float(
    write_network: Network, blobs: Blobs, tmp_path: Path
) -> None:
    files = write_network()
    table = tmp_path / "net.table"
    made(files, blobs, out_table=table)
    lines = [line for line in table.read_text().splitlines() if not line.startswith("point")]
    table.write_text("\n".join(lines))

    int8, report = made(files, blobs, Calibration(table=table))

    assert report.left == ("point",)
    assert report.requantized == ("wide",)
    assert arrays(int8)["point", "weight"][0] is Storage.FP32
    assert cosine(files, int8, blobs) > 0.995


@pytest.mark.parametrize("transposed", [0, 1])
def test_a_matrix_product_has_one_scale(write_network: Network, transposed: int) -> None:
    files = write_network(GEMM.format(transposed=transposed))
    blobs = (InputBlob("data", (7, 20)),)

    int8, report = made(files, blobs, gemm=True)

    assert report.quantized == ("mul",)
    assert arrays(int8)["mul", "B"][0] is Storage.INT8
    assert cosine(files, int8, blobs) > 0.998


def test_a_matrix_product_stays_float_for_who_cannot_read_it(write_network: Network) -> None:
    files = write_network(GEMM.format(transposed=1))

    int8, report = made(files, (InputBlob("data", (7, 20)),))

    assert report.quantized == ()
    assert int8[1].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("sizes", ["8=0 9=20", "8=12 9=0"])
def test_a_matrix_product_of_no_columns_is_refused(write_network: Network, sizes: str) -> None:
    files = write_network(GEMM.format(transposed=1).replace("8=12 9=20", sizes))

    with pytest.raises(QuantizationError, match="layer 'mul' multiplies by a matrix of "):
        made(files, (InputBlob("data", (7, 20)),), gemm=True)


def test_two_layers_of_one_name_are_refused(write_network: Network, blobs: Blobs) -> None:
    text = "7767517\n3 3\nInput data 0 1 data\nReLU twin 1 1 data a\nReLU twin 1 1 a b\n"

    with pytest.raises(QuantizationError, match="two layers have the name 'twin'"):
        made(write_network(text), blobs)


def test_weights_that_are_no_numbers_are_refused(write_network: Network, blobs: Blobs) -> None:
    def spoil(layer: str, role: str, numbers: npt.NDArray[np.float64]) -> None:
        if (layer, role) == ("fc", "weight"):
            numbers[7] = np.nan

    with pytest.raises(QuantizationError, match="'fc'"):
        made(write_network(change=spoil), blobs)


def test_activations_that_are_no_numbers_are_refused(write_network: Network, blobs: Blobs) -> None:
    def spoil(layer: str, role: str, numbers: npt.NDArray[np.float64]) -> None:
        if (layer, role) == ("point", "bias"):
            numbers[3] = np.inf

    with pytest.raises(QuantizationError, match="blob 'point' holds numbers that are not finite"):
        made(write_network(change=spoil), blobs)


def test_a_report_survives_json() -> None:
    report = Report(("a", "b"), ("a",), (), 3)

    assert Report.from_json(report.to_json()) == report
    assert set(asdict(report)) == {"quantized", "requantized", "left", "inputs"}
