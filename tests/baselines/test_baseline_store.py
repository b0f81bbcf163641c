from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.version import Version

from ncnn_peakmem.baselines import store as store_module
from ncnn_peakmem.baselines.record import BaselineError
from ncnn_peakmem.baselines.store import BaselineStore, Update
from ncnn_peakmem.machine import MachineClass
from ncnn_peakmem.measurement import Gauge, Measurement, MeasurementSet, Reading

VERSION = Version("1.0.20240410")


@pytest.fixture(autouse=True)
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where locks of this test and of its child processes go."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def store(tmp_path: Path) -> BaselineStore:
    return BaselineStore(tmp_path / "baselines")


def only(measured: MeasurementSet, *measurements: Measurement) -> MeasurementSet:
    return replace(measured, cases={measurement.case: measurement for measurement in measurements})


def larger(reading: Reading) -> Reading:
    phases = {p: {m: value + 1 for m, value in metrics.items()} for p, metrics in reading.phases.items()}
    return replace(reading, phases=phases)


def test_an_update_is_found_where_the_class_and_version_say(
    store: BaselineStore, measured: MeasurementSet, machine: MachineClass
) -> None:
    update = store.update(measured)
    assert update == Update(store.folder / machine.id / "1.0.20240410.json")
    assert store.load(machine, VERSION) == measured
    assert store.machine_classes() == (machine.id,)
    assert [path.name for path in update.path.parent.iterdir()] == ["1.0.20240410.json"]


def test_an_empty_store_has_nothing(store: BaselineStore, machine: MachineClass) -> None:
    assert store.versions(machine) == ()
    assert store.machine_classes() == ()
    with pytest.raises(BaselineError, match=r"1\.0\.20240410\.json: cannot be read: No such file"):
        store.load(machine, VERSION)


def test_versions_are_ordered_as_versions(
    store: BaselineStore, measured: MeasurementSet, machine: MachineClass
) -> None:
    for version in ("1.0.20240410", "1.0.9", "1.0.20221128", "1.0.20240410.post1"):
        store.update(replace(measured, ncnn=version))
    (store.folder / machine.id / ".1.0.3.json.tmp").touch()
    (store.folder / machine.id / "README.md").touch()
    assert [str(version) for version in store.versions(machine)] == [
        "1.0.9",
        "1.0.20221128",
        "1.0.20240410",
        "1.0.20240410.post1",
    ]


def test_what_did_not_run_stays(
    store: BaselineStore, measured: MeasurementSet, machine: MachineClass, heap: Reading
) -> None:
    store.update(measured)
    fresh = Measurement("vgg16-fp32-t1", "digest-1", {Gauge.HEAP: larger(heap)})
    update = store.update(only(measured, fresh))
    stored = store.load(machine, VERSION).cases
    assert stored["alexnet-int8-t1"] == measured.cases["alexnet-int8-t1"]
    assert stored["vgg16-fp32-t1"].readings == {
        Gauge.HEAP: larger(heap),
        Gauge.PAGES: measured.cases["vgg16-fp32-t1"].readings[Gauge.PAGES],
    }
    assert update.dropped == ()


def test_two_models_never_share_a_record(
    store: BaselineStore, measured: MeasurementSet, machine: MachineClass, heap: Reading
) -> None:
    store.update(measured)
    fresh = Measurement("vgg16-fp32-t1", "digest-9", {Gauge.HEAP: heap})
    update = store.update(only(measured, fresh))
    assert store.load(machine, VERSION).cases["vgg16-fp32-t1"] == fresh
    assert update.dropped == (("vgg16-fp32-t1", Gauge.PAGES),)


def test_a_case_that_measured_nothing_changes_nothing(store: BaselineStore, measured: MeasurementSet) -> None:
    nothing = Measurement("vgg16-fp32-t1", "digest-9", {})
    assert not store.update(only(measured, nothing)).path.exists()
    path = store.update(measured).path
    before = path.read_bytes()
    assert store.update(only(measured, nothing)).dropped == ()
    assert path.read_bytes() == before
    alexnet = measured.cases["alexnet-int8-t1"]
    store.update(only(measured, nothing, alexnet))
    assert path.read_bytes() == before


@pytest.mark.parametrize("spoilt", ["", '{"schema": 2}', "<<<<<<< HEAD\n"])
def test_a_file_that_cannot_be_read_is_never_overwritten(
    store: BaselineStore, measured: MeasurementSet, spoilt: str
) -> None:
    path = store.update(measured).path
    path.write_text(spoilt)
    with pytest.raises(BaselineError):
        store.update(measured)
    assert path.read_text() == spoilt


def test_figures_that_could_not_be_read_back_are_not_written(
    store: BaselineStore, measured: MeasurementSet, heap: Reading
) -> None:
    path = store.update(measured).path
    before = path.read_bytes()
    negative = Measurement("alexnet-int8-t1", "digest-2", {Gauge.HEAP: replace(heap, loops=-1)})
    with pytest.raises(BaselineError, match="loops"):
        store.update(only(measured, negative))
    assert path.read_bytes() == before


@pytest.mark.parametrize("culprit", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_no_draft(
    store: BaselineStore, measured: MeasurementSet, monkeypatch: pytest.MonkeyPatch, culprit: str
) -> None:
    path = store.update(measured).path
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, culprit, fail)
    fresh = Measurement("new-t1", "digest-3", measured.cases["alexnet-int8-t1"].readings)
    with pytest.raises(OSError, match="No space left"):
        store.update(only(measured, fresh))
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_the_committed_file_is_readable_by_all_that_may_read_new_files(
    store: BaselineStore, measured: MeasurementSet, tmp_path: Path
) -> None:
    path = store.update(measured).path
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_copied_file_is_refused_under_another_name(
    store: BaselineStore, measured: MeasurementSet, machine: MachineClass
) -> None:
    path = store.update(measured).path
    path.with_name("1.0.20250503.json").write_bytes(path.read_bytes())
    with pytest.raises(BaselineError, match=r"another ncnn version, 1\.0\.20240410"):
        store.load(machine, Version("1.0.20250503"))
    other = replace(machine, physical_cores=8)
    copy = store.path(other, VERSION)
    copy.parent.mkdir()
    copy.write_bytes(path.read_bytes())
    with pytest.raises(BaselineError, match=f"another machine class, {machine.id}"):
        store.load(other, VERSION)


def test_a_name_that_is_no_version_is_named(
    store: BaselineStore, measured: MeasurementSet, machine: MachineClass
) -> None:
    store.update(measured).path.with_name("latest.json").touch()
    with pytest.raises(BaselineError, match="'latest' is not a version"):
        store.versions(machine)
    with pytest.raises(BaselineError, match="'my build' is not a version"):
        store.update(replace(measured, ncnn="my build"))


def test_a_draft_that_a_killed_update_left_is_removed(store: BaselineStore, measured: MeasurementSet) -> None:
    path = store.update(measured).path
    draft = path.with_name(f".{path.name}.0123.tmp")
    draft.write_text("{ half")
    other = path.with_name(".1.0.9.json.0123.tmp")
    other.touch()
    store.update(measured)
    assert not draft.exists()
    assert other.exists(), "another file's update may be at work"


def test_the_lock_lies_outside_of_what_is_committed(
    store: BaselineStore, measured: MeasurementSet, locks: Path
) -> None:
    path = store.update(measured).path
    store.update(measured)
    store.update(replace(measured, ncnn="1.0.20250503"))
    assert {file.suffix for file in store.folder.rglob("*") if file.is_file()} == {".json"}
    assert list(locks.iterdir()) == []
    assert path.exists()


def test_where_folders_cannot_be_locked_a_file_is(
    store: BaselineStore, measured: MeasurementSet, locks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.flock

    def on_files_only(descriptor: int, how: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EBADF, "Bad file descriptor")
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", on_files_only)
    store.update(measured)
    (locks / "elsewhere").symlink_to(store.folder)
    BaselineStore(locks / "elsewhere").update(measured)
    assert len(list(locks.rglob("*.lock"))) == 1, "whichever way leads to the file"


def test_a_huge_file_is_refused(
    store: BaselineStore, measured: MeasurementSet, machine: MachineClass
) -> None:
    path = store.update(measured).path
    with path.open("r+b") as stream:
        stream.truncate(64 * 2**20 + 1)
    with pytest.raises(BaselineError, match="larger than 64 MiB"):
        store.load(machine, VERSION)


_UPDATES = 20
_WRITER = """
import sys
from pathlib import Path
from ncnn_peakmem.baselines.record import parse
from ncnn_peakmem.baselines.store import BaselineStore
from ncnn_peakmem.measurement import Measurement, MeasurementSet

folder, sample, name, count = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
sample = parse(sample.read_bytes(), sample)
readings = sample.cases["alexnet-int8-t1"].readings
print("ready", flush=True)
sys.stdin.readline()
for number in range(count):
    case = Measurement(f"{name}-{number}", "digest", readings)
    BaselineStore(folder).update(MeasurementSet(sample.ncnn, sample.machine, {case.case: case}))
"""


def test_two_processes_that_update_at_once_lose_nothing(
    store: BaselineStore, measured: MeasurementSet, machine: MachineClass
) -> None:
    sample = store.update(measured).path
    command = [sys.executable, "-c", _WRITER, str(store.folder), str(sample)]
    writers = [
        subprocess.Popen(
            [*command, name, str(_UPDATES)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in ("left", "right")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    expected = {f"{name}-{number}" for name in ("left", "right") for number in range(_UPDATES)}
    assert set(store.load(machine, VERSION).cases) == expected | set(measured.cases)
    assert list(sample.parent.iterdir()) == [sample]


def test_an_update_that_waits_too_long_says_so(
    store: BaselineStore, measured: MeasurementSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_LOCK_TIMEOUT_S", 0.0)
    path = store.update(measured).path
    with store_module._locked(path), pytest.raises(BaselineError, match="locked by another update"):
        store.update(measured)
