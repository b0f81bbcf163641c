"""Networks: where their files come from, and what they set for themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ncnn_peakmem.catalog import CatalogError, load
from ncnn_peakmem.measurement import Gauge
from ncnn_peakmem.network import BuiltIn, Loops, NcnnFiles, Network, OnnxFile
from ncnn_peakmem.tolerance import GaugeTolerance, Tolerance

Write = Callable[..., Path]
ALEXNET = "{topology: alexnet}"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "nets").mkdir()
    for name in ("my.onnx", "my.param", "my.bin"):
        (tmp_path / "nets" / name).touch()
    return tmp_path / "nets"


def _alexnet(path: Path) -> Network:
    return load(path).networks["alexnet"]


def test_a_built_in_network_may_have_a_seed(write: Write) -> None:
    networks = load(write((ALEXNET, "{topology: vgg16, seed: 7}"))).networks
    assert networks["alexnet"] == Network("alexnet", BuiltIn("vgg16", 7))
    assert networks["resnet18"] == Network("resnet18", BuiltIn("resnet18", 0))


def test_an_onnx_file_below_the_catalogs_folder(
    write: Write, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    path = write((ALEXNET, "{onnx: nets/my.onnx, input_shapes: [[1, 3, 8, 8], [4]]}"))
    assert _alexnet(path) == Network("alexnet", OnnxFile(files / "my.onnx"), ((1, 3, 8, 8), (4,)))


def test_files_are_found_again_from_another_folder(
    write: Write, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write((ALEXNET, "{onnx: nets/my.onnx}"))
    monkeypatch.chdir(path.parent)
    source = _alexnet(Path(path.name)).source
    assert source == OnnxFile(files / "my.onnx")


def test_a_param_file_with_and_without_its_bin(write: Write, files: Path) -> None:
    both = _alexnet(write((ALEXNET, "{param: nets/my.param, bin: nets/my.bin}")))
    alone = _alexnet(write((ALEXNET, "{param: nets/my.param}")))
    assert both.source == NcnnFiles(files / "my.param", files / "my.bin")
    assert alone.source == NcnnFiles(files / "my.param", None)


def test_a_path_that_returns_is_fine(write: Write, files: Path) -> None:
    returning = _alexnet(write((ALEXNET, "{onnx: nets/../nets/my.onnx}")))
    assert isinstance(returning.source, OnnxFile)
    assert returning.source.path.samefile(files / "my.onnx")


@pytest.mark.parametrize("climbing", ["../outside.onnx", "nets/../../outside.onnx", ".."])
def test_a_relative_path_may_not_climb_out_even_to_a_file_that_exists(
    climbing: str, tmp_path: Path, write: Write
) -> None:
    outside = tmp_path / "outside.onnx"
    outside.touch()
    folder = tmp_path / "inside"
    (folder / "nets").mkdir(parents=True)
    path = write((ALEXNET, f"{{onnx: {climbing}}}")).rename(folder / "models.yaml")
    with pytest.raises(CatalogError, match="climbs out of the folder it starts in; allowed: a path inside"):
        load(path)


def test_loops_override_leaf_by_leaf(write: Write) -> None:
    catalog = load(
        write(
            ("loops: {minimum: 12, maximum: 400, settle_factor: 2}", "loops: {maximum: 300}"),
            (ALEXNET, "{topology: alexnet, loops: {minimum: 50, settle_factor: 3.5}}"),
        )
    )
    assert catalog.networks["resnet18"].loops == Loops(12, 300, 2.0)
    assert catalog.networks["alexnet"].loops == Loops(50, 300, 3.5)


def test_tolerances_override_leaf_by_leaf(write: Write) -> None:
    own = "{heap: {between_releases: {relative: 2 %}}, pages: {same_release: {absolute: 0}}}"
    catalog = load(write((ALEXNET, f"{{topology: alexnet, tolerances: {own}}}")))
    shared, changed = catalog.tolerances("resnet18", 1), catalog.tolerances("alexnet", 1)
    assert shared[Gauge.HEAP] == GaugeTolerance(Tolerance(16384, 0.001), Tolerance(0, 0.0))
    assert changed[Gauge.HEAP] == GaugeTolerance(Tolerance(16384, 0.02), Tolerance(0, 0.0))
    assert changed[Gauge.PAGES] == GaugeTolerance(Tolerance(65536, 0.0025), Tolerance(0, 0.0))
    assert changed[Gauge.DEPLOYED] == shared[Gauge.DEPLOYED]


def test_several_threads_are_allowed_what_one_is_and_what_is_written_for_them(write: Write) -> None:
    same = "same_release: {absolute: 16 KiB, relative: 0 %}"
    shared = f"{same}\n    several_threads: {{same_release: {{absolute: 4 KiB, relative: 1 %}}}}"
    own = "{pages: {same_release: {absolute: 0}, several_threads: {same_release: {relative: 2 %}}}}"
    catalog = load(write((same, shared), (ALEXNET, f"{{topology: alexnet, tolerances: {own}}}")))

    between = Tolerance(65536, 0.0025)
    assert catalog.tolerances("resnet18", 1)[Gauge.PAGES] == GaugeTolerance(between, Tolerance(16384, 0.0))
    assert catalog.tolerances("resnet18", 2)[Gauge.PAGES] == GaugeTolerance(between, Tolerance(16384, 0.01))
    assert catalog.tolerances("alexnet", 4)[Gauge.PAGES] == GaugeTolerance(between, Tolerance(4096, 0.02))
    assert catalog.tolerances("alexnet", 4)[Gauge.HEAP] == catalog.tolerances("alexnet", 1)[Gauge.HEAP]


def test_tolerances_of_an_unknown_network(write: Write) -> None:
    with pytest.raises(CatalogError, match=r"'alexnett' is no network \(did you mean 'alexnet'\?\)"):
        load(write()).tolerances("alexnett", 1)
    with pytest.raises(CatalogError, match="'alexnett' is no network"):
        load(write()).tolerances("alexnett", 2)
