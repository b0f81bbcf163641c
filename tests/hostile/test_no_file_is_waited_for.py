"""What is no plain file, or too large, is refused at once: nothing waits for a pipe, or reads a device."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from ncnn_peakmem import baselines, bounded_file, catalog, param_file
from ncnn_peakmem.cli import main
from ncnn_peakmem.conversion import Cache, ConversionError, convert
from ncnn_peakmem.network import NcnnFiles, Network, OnnxFile

PARAM = "7767517\n2 2\nInput in0 0 1 in0 0=4\nReLU relu 1 1 in0 out0\n"
Make = Callable[[Path], None]


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.mkdir()


def circle(path: Path) -> None:
    path.symlink_to(path)


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


NO_FILES: list[Make] = [pipe, device, folder, circle]
ALL: list[Make] = [*NO_FILES, sparse]


@pytest.fixture(params=ALL, ids=lambda make: make.__name__)
def odd(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "odd"
    request.param(path)
    return path


def test_a_reader_of_bytes(odd: Path) -> None:
    with pytest.raises(
        bounded_file.UnreadableFile, match=r"no plain file|directory|symbolic links|larger than"
    ):
        bounded_file.read(odd, 1 << 16)


def test_a_file_of_just_the_size_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert bounded_file.read(tmp_path / "file", 5) == b"12345"
    with pytest.raises(bounded_file.UnreadableFile):
        bounded_file.read(tmp_path / "file", 4)


def test_a_path_with_a_nul_is_a_path_that_cannot_be_read() -> None:
    with pytest.raises(bounded_file.UnreadableFile, match="cannot be read: embedded null byte"):
        bounded_file.read(Path("a\0b"), 1)


def test_models_yaml(odd: Path) -> None:
    with pytest.raises(catalog.CatalogError, match=r"odd: (cannot be read|is larger than 256 KiB)"):
        catalog.load(odd)


def test_a_param_file(odd: Path) -> None:
    with pytest.raises(param_file.ParamFileError, match=r"odd: (cannot be read|is larger than 16 MiB)"):
        param_file.read(odd)


def test_a_baseline(odd: Path) -> None:
    with pytest.raises(baselines.BaselineError, match=r"odd: (cannot be read|is larger than 64 MiB)"):
        baselines.read(odd)


def test_results_to_compare(odd: Path) -> None:
    path = odd.rename(odd.with_suffix(".json")) if not odd.is_symlink() else odd.with_suffix(".json")
    if odd.is_symlink():
        path.symlink_to(odd)
    told = CliRunner().invoke(main, ["compare", str(path), str(path), "--models", "models.yaml"])
    assert told.exit_code == 2
    assert "cannot be read" in told.output or "is larger than" in told.output


def test_an_onnx_file(odd: Path, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"is not a file|larger than ONNX's 2 GB"):
        convert(Network("net", OnnxFile(odd)), Cache(tmp_path / "cache"))


@pytest.mark.parametrize("make", NO_FILES, ids=lambda make: make.__name__)
def test_weights(make: Make, tmp_path: Path) -> None:
    (tmp_path / "net.param").write_text(PARAM)
    make(tmp_path / "net.bin")
    network = Network("net", NcnnFiles(tmp_path / "net.param", tmp_path / "net.bin"))
    with pytest.raises(ConversionError, match=r"is missing or empty|cannot be read"):
        convert(network, Cache(tmp_path / "cache"))


def test_weights_of_any_length_are_never_read_by_the_parent(tmp_path: Path) -> None:
    (tmp_path / "net.param").write_text(PARAM)
    sparse(tmp_path / "net.bin")
    network = Network("net", NcnnFiles(tmp_path / "net.param", tmp_path / "net.bin"))
    assert convert(network, Cache(tmp_path / "cache")).bin == tmp_path / "net.bin"
