"""Paths and names in files from elsewhere stay in the folder that they belong to."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper

from ncnn_peakmem.baselines import BaselineError, record
from ncnn_peakmem.catalog import Catalog, CatalogError, load
from ncnn_peakmem.cli import main
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import Gauge, Measurement, MeasurementSet, Outcome, OutcomeKind, Reading
from ncnn_peakmem.network import NcnnFiles
from ncnn_peakmem.reports import RunReport, json_report
from tests.hostile.conftest import NETWORK

Hostile = Callable[[str, str], Path]

ROOT = Path(__file__).parents[2]
PARAM = "7767517\n2 2\nInput in0 0 1 in0 0=4\nReLU relu 1 1 in0 out0\n"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A good model that is not below the catalog's folder."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "net.param").write_text(PARAM)
    return folder


def named(hostile_catalog: Hostile, path: object) -> Path:
    return hostile_catalog(NETWORK, f"net: {{param: {path}}}")


def source(known: Catalog) -> NcnnFiles:
    found = known.network("net").source
    assert isinstance(found, NcnnFiles)
    return found


def test_an_absolute_path_is_refused(hostile_catalog: Hostile, outside: Path) -> None:
    with pytest.raises(CatalogError, match=r"is an absolute path; allowed: .* --peakmem-model-dir"):
        load(named(hostile_catalog, outside / "net.param"))
    with pytest.raises(CatalogError, match="is an absolute path"):
        load(named(hostile_catalog, outside / "net.param"), outside)


def test_a_path_that_climbs_is_refused(hostile_catalog: Hostile, outside: Path) -> None:
    for path in ("../outside/net.param", "x/../../outside/net.param"):
        with pytest.raises(CatalogError, match="climbs out of the folder"):
            load(named(hostile_catalog, path))
        with pytest.raises(CatalogError, match="climbs out of the folder"):
            load(named(hostile_catalog, path), outside)


@pytest.mark.parametrize("of_the_folder", [False, True])
def test_a_link_that_leads_out_is_refused(
    hostile_catalog: Hostile, outside: Path, of_the_folder: bool
) -> None:
    path = named(hostile_catalog, "models/net.param")
    if of_the_folder:
        (path.parent / "models").symlink_to(outside)
    else:
        (path.parent / "models").mkdir()
        (path.parent / "models/net.param").symlink_to(outside / "net.param")
    with pytest.raises(CatalogError, match="is a link that leads out of"):
        load(path)


def test_a_link_that_stays_inside_is_fine(hostile_catalog: Hostile) -> None:
    path = named(hostile_catalog, "net.param")
    (path.parent / "real.param").write_text(PARAM)
    (path.parent / "net.param").symlink_to("real.param")
    assert source(load(path)).param == path.parent / "net.param"


def test_the_caller_can_name_a_folder_for_models_outside(hostile_catalog: Hostile, outside: Path) -> None:
    path = named(hostile_catalog, "net.param")
    with pytest.raises(CatalogError, match=rf"is no file \(looked in {re.escape(str(path.parent))}\)"):
        load(path)
    assert source(load(path, outside)).param == outside / "net.param"
    (path.parent / "net.param").write_text(PARAM)
    assert source(load(path, outside)).param == path.parent / "net.param"


def test_nothing_is_downloaded(hostile_catalog: Hostile) -> None:
    for address in ("https://example.org/net.param", "file:///etc/passwd", "s3://bucket/net.param"):
        with pytest.raises(CatalogError, match="is an address, and nothing is downloaded"):
            load(named(hostile_catalog, f"'{address}'"))


def test_the_command_line_names_the_folder(hostile_catalog: Hostile, outside: Path) -> None:
    command = ["forecast", "net", "--models", str(named(hostile_catalog, "net.param"))]
    refused = CliRunner().invoke(main, command)
    assert refused.exit_code == 2
    assert "is no file" in refused.output
    found = CliRunner().invoke(main, [*command, "--model-dir", str(outside), "--release", "20261020"])
    assert found.exit_code == 0, found.output


def test_pytest_names_the_folder(hostile_catalog: Hostile, outside: Path) -> None:
    models = named(hostile_catalog, "net.param")
    command = [sys.executable, "-m", "pytest", "benchmarks/test_peak_memory.py", "--co", "-q"]
    command += ["-p", "no:cacheprovider", f"--peakmem-models={models}", f"--peakmem-cache-dir={outside}"]
    runs = [
        subprocess.run([*command, *more], cwd=ROOT, capture_output=True, text=True, check=False)
        for more in ([], [f"--peakmem-model-dir={outside}"])
    ]
    assert [run.returncode for run in runs] == [4, 0]
    assert "is no file" in runs[0].stderr
    assert "net-fp32-light-t1" in runs[1].stdout


def test_a_command_given_an_address_says_that_nothing_is_downloaded() -> None:
    told = CliRunner().invoke(main, ["forecast", "https://example.org/net.onnx"])
    assert told.exit_code == 2
    assert "nothing is downloaded" in told.output


MACHINE = MachineClass("x86_64", ("avx2",), 1 << 20, 2, 4096, "glibc2.36")
READING = Reading(Outcome(OutcomeKind.OK), {})
CASE = "net-fp32-light-t1"
MEASURED = MeasurementSet("1.0.20261020", MACHINE, {CASE: Measurement(CASE, "one", {Gauge.HEAP: READING})})
ELSEWHERE = ["../../x", "/etc/x", "a/b", "..", ".hidden", "", "a\0b", "x" * 300, "a\nb"]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_baseline_names_no_file_elsewhere(name: str) -> None:
    good = json.loads(record.render(MEASURED))
    bad = [
        {**good, "ncnn": name},
        {**good, "cases": {name: good["cases"][CASE]}},
        *({**good, "machine": {**good["machine"], key: name}} for key in ("architecture", "libc", "system")),
        {**good, "machine": {**good["machine"], "isa": [name]}},
    ]
    for document in bad:
        with pytest.raises(BaselineError):
            record.parse(json.dumps(document).encode(), Path("x.json"))


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_report_names_no_file_elsewhere(name: str) -> None:
    report = json_report.render(RunReport(MEASURED))
    assert json_report.parse(report)
    for old in (CASE, "x86_64", "glibc2.36", "avx2"):
        with pytest.raises(ValueError):
            json_report.parse(report.replace(json.dumps(old), json.dumps(name)))


def test_a_machine_is_of_words_that_a_folder_can_be_named_after() -> None:
    assert Path("folder", MACHINE.id).parent == Path("folder")
    with pytest.raises(ValueError, match="is no part of a machine class"):
        replace(MACHINE, libc="../../glibc")


@pytest.mark.parametrize("name", ["a/b", "../net", "Net", "net.", "n" * 65, "net\\n"])
def test_a_network_has_a_name_that_a_file_can_have(hostile_catalog: Hostile, name: str) -> None:
    with pytest.raises(CatalogError, match=r"allowed: (lower-case letters|up to 64 characters)"):
        load(hostile_catalog("net: {", f'"{name}": {{'))


def test_ids_are_short_enough_for_a_file(hostile_catalog: Hostile) -> None:
    label = "x" * 64
    axes = "".join(
        f"  a{number}: {{default: b{number}{label[3:]}, id: always, choices: "
        f"{{b{number}{label[3:]}: {{}}, c{number}{label[3:]}: {{}}}}}}\n"
        for number in range(3)
    )
    with pytest.raises(CatalogError, match=r"makes ids of up to \d+ characters; allowed: up to 200"):
        load(hostile_catalog("axes:\n", f"axes:\n{axes}"))


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("../../etc/passwd", "outside the model's folder"),
        ("/etc/passwd", "outside the model's folder"),
        ("link/passwd", "outside the model's folder"),
        ("w\0", "outside the model's folder"),
        ("x" * 5000, "outside the model's folder"),
        ("pipe", "is missing"),
        (".", "is missing"),
    ],
)
def test_external_data_of_onnx_is_read_from_its_own_folder_alone(
    tmp_path: Path, location: str, told: str
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link").symlink_to("/etc")
    os.mkfifo(folder / "pipe")
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2])
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=location)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy"]
    nodes = [helper.make_node("Add", ["x", "w"], ["y"])]
    model = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], [weight]))
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    command = [sys.executable, "-m", "ncnn_peakmem.conversion.onnx_inspection", str(folder / "net.onnx")]
    refused = subprocess.run(
        [*command, str(tmp_path / "result")], capture_output=True, text=True, check=False, timeout=120
    )
    assert refused.returncode == 65
    assert told in refused.stderr
    assert not (tmp_path / "result").exists()
