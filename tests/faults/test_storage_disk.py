"""Disks that are full and folders that cannot be written to, made with mounts that nobody else sees."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from ncnn_peakmem import runtimes
from ncnn_peakmem.conversion import Cache
from ncnn_peakmem.measurement import Measurement
from tests.conftest import SMALL_PARAM
from tests.faults.conftest import ROOT, in_namespace
from tests.faults.session import Session, session_in, write_wheel

FULL = "No space left on device: see that there is room"
READ_ONLY = "Read-only file system: see that there is room and that you may write there"
ONE = ("-k", "small-fp32-light")


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return session_in(tmp_path, SMALL_PARAM)


def fill_up(session: Session, folder: Path, *, pages_left: int = 0) -> None:
    """Have commands see a folder on a disk that is full; `outcome_of` is what they leave there."""
    folder.mkdir(exist_ok=True)
    held = f"{folder}.held"
    setup = "\n".join(
        [
            f"rm -rf {held}",
            f"cp -a {folder} {held}",
            f"mount -t tmpfs -o size=256k none {folder}",
            f"cp -a {held}/. {folder}",
            f"head -c {4096 * max(pages_left, 1)} /dev/zero > {folder}/spare",
            f"cat /dev/zero > {folder}/filler 2> /dev/null || true",
            f"rm {folder}/spare" if pages_left else "",
        ]
    )
    after = f'"$@"; code=$?; rm -f {folder}/filler {folder}/spare; cp -a {folder}/. {held}; exit $code'
    session.wrapper = [*in_namespace(setup), "sh", "-c", after, "sh"]


def outcome_of(folder: Path) -> Path:
    """The folder as it was when the command had ended."""
    return folder.with_name(f"{folder.name}.held")


def make_read_only(session: Session, *folders: Path) -> None:
    setup = [f"mount --bind {folder} {folder}\nmount -o remount,bind,ro {folder}" for folder in folders]
    for folder in folders:
        folder.mkdir(exist_ok=True)
    session.wrapper = in_namespace("\n".join(setup))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The baselines that `--peakmem-update` wrote once for the sessions of all tests."""
    session = session_in(tmp_path_factory.mktemp("updated"), SMALL_PARAM)
    assert session.pytest("--peakmem-update").code == 0
    return session.folder / "baselines"


@pytest.fixture
def updated(session: Session, written: Path) -> Session:
    shutil.copytree(written, session.folder / "baselines")
    return session


@pytest.mark.fault(
    "the disk is full while writing baselines",
    "`--peakmem-update` says so with exit code 3 and where the figures are kept; the file stays as it was",
)
def test_full_baselines(updated: Session) -> None:
    before = updated.baseline.read_bytes()
    fill_up(updated, updated.folder / "baselines")

    finished = updated.pytest("--peakmem-update", *ONE)

    assert finished.code == pytest.ExitCode.INTERNAL_ERROR, finished.text
    assert f"{updated.baseline} was not written: {FULL}" in finished.text
    assert "the figures are kept in" in finished.text
    left = outcome_of(updated.folder / "baselines")
    (file,) = (path for path in left.rglob("*") if path.is_file())
    assert (file.name, file.read_bytes()) == (updated.baseline.name, before)


@pytest.mark.fault(
    "the folder is read-only while writing baselines",
    "as on a full disk; judging goes on as ever",
)
def test_read_only_baselines(updated: Session) -> None:
    before = updated.baseline.read_bytes()
    make_read_only(updated, updated.folder / "baselines")

    finished = updated.pytest("--peakmem-update", *ONE)

    assert finished.code == pytest.ExitCode.INTERNAL_ERROR, finished.text
    assert f"{updated.baseline} was not written: {READ_ONLY}" in finished.text
    assert updated.baseline.read_bytes() == before
    assert updated.pytest(*ONE).code == 0


@pytest.mark.parametrize("disk", ["full", "read-only"])
@pytest.mark.fault(
    "the disk is full while writing reports (`--peakmem-json`, `--peakmem-markdown`)",
    "each says so, with exit code 3; cases are judged; reports of before stay whole",
)
@pytest.mark.fault("the folder is read-only while writing reports", "the same")
def test_reports(updated: Session, disk: str) -> None:
    reports = updated.folder / "reports"
    reports.mkdir()
    (reports / "out.json").write_text("of before")
    (reports / "out.md").write_text("of before\n" * 400)
    if disk == "full":
        fill_up(updated, reports)
    else:
        make_read_only(updated, reports)

    finished = updated.pytest(
        *ONE, f"--peakmem-json={reports}/out.json", f"--peakmem-markdown={reports}/out.md"
    )

    assert finished.code == pytest.ExitCode.INTERNAL_ERROR, finished.text
    why = FULL if disk == "full" else READ_ONLY
    assert f"{reports}/out.json was not written: {why}" in finished.text
    assert f"{reports}/out.md was not written: {why}" in finished.text
    assert "1 case judged: 1 same" in finished.text
    kept = outcome_of(reports) if disk == "full" else reports
    assert {path.name: path.read_text() for path in kept.iterdir()} == {
        "out.json": "of before",
        "out.md": "of before\n" * 400,
    }


@pytest.mark.parametrize("disk", ["full", "read-only"])
@pytest.mark.fault(
    "the disk is full while `ncnn-peakmem history` writes reports", "exit code 3, which file and why"
)
@pytest.mark.fault("the folder is read-only while `ncnn-peakmem history` writes reports", "the same")
def test_reports_of_the_program(session: Session, disk: str) -> None:
    reports = session.folder / "reports"
    (fill_up if disk == "full" else make_read_only)(session, reports)
    stored = ["--stored", "--releases", "1.0.20260526..", f"--baseline-dir={ROOT / 'baselines'}"]
    about = ["--case", "mobilenet_v2-fp32-light-half-q8-t1", f"--models={ROOT / 'models.yaml'}"]

    for flag, name in (("--json", "out.json"), ("--findings", "out.md")):
        finished = session.program("history", *stored, *about, flag, f"{reports}/{name}")

        assert finished.code == 3, finished.text
        assert f"{reports}/{name} was not written: {FULL if disk == 'full' else READ_ONLY}" in finished.text
        assert not list((outcome_of(reports) if disk == "full" else reports).iterdir())


@pytest.mark.fault(
    "the disk of the cache is full while a run keeps what it measured",
    "cases that fitted are judged; each other one is red in a line that says where and why",
)
def test_full_run_folder(updated: Session) -> None:
    # The measurement of a case and its verdict take a page each.
    fill_up(updated, updated.folder / "elsewhere", pages_left=2)

    finished = updated.pytest(f"--peakmem-cache-dir={updated.folder / 'elsewhere'}")

    assert finished.code == pytest.ExitCode.TESTS_FAILED, finished.text
    assert "1 passed, 3 errors" in finished.outcomes()
    assert finished.text.count(f" was not written: {FULL}") >= 3
    assert "1 case judged: 1 same" in finished.text
    kept = sorted((updated.folder / "elsewhere.held").glob("runs/*/*/*.json"))
    assert [Measurement.from_json(path.read_bytes()).case for path in kept] == ["small-fp32-light-t1"]


def add_onnx(session: Session) -> None:
    """A network that has to be converted, beside the one that has not."""
    (session.folder / "tiny.onnx").write_bytes(b"\x08\x08")
    models = session.folder / "models.yaml"
    models.write_text(models.read_text().replace("other: {param: small.param}", "other: {onnx: tiny.onnx}"))


@pytest.mark.fault(
    "the disk is full while converting",
    "`failed`, with the folder and what to do, and never a baseline; all other cases are judged and stored",
)
def test_full_while_converting(session: Session) -> None:
    add_onnx(session)
    # Where the logs of a conversion's first stage go; there is room for what is measured.
    (session.folder / "cache").mkdir()
    fill_up(session, session.folder / "cache" / "onnx")

    finished = session.pytest("--peakmem-update", "-k", "light")

    assert finished.code == pytest.ExitCode.TESTS_FAILED, finished.text
    assert "1 failed, 1 passed" in finished.outcomes()
    told = next(
        line for line in finished.text.splitlines() if line.startswith("other-fp32-light-t1   failed:")
    )
    assert "using the cache failed" in told
    assert "No space left on device" in told
    assert "choose another folder" in told
    cases = json.loads(session.baseline.read_text())["cases"]
    assert cases["small-fp32-light-t1"]["readings"]["heap"]["outcome"] == "ok"
    assert "other-fp32-light-t1" not in cases


@pytest.mark.fault(
    "the cache is read-only while converting",
    "exit code 3: which folder, and the variable that names another",
)
def test_read_only_while_converting(session: Session) -> None:
    add_onnx(session)
    make_read_only(session, session.folder / "cache")

    finished = session.program("measure", "other", f"--cache-dir={session.folder / 'cache'}")

    assert finished.code == 3, finished.text
    assert "other: using the cache failed: " in finished.text
    assert "Read-only file system" in finished.text
    assert "choose another folder with the variable NCNN_PEAKMEM_CACHE_DIR" in finished.text


@pytest.mark.fault(
    "the disk is full while caching a release",
    "exit code 3: which folder; no half of a release is left there",
)
def test_full_while_caching_a_release(session: Session) -> None:
    fill_up(session, session.folder / "cache")
    wheel = write_wheel(session.folder, "1.0.20240820", b"class Net: pass\n")

    finished = session.program(
        "measure", "small", f"--ncnn={wheel}", f"--cache-dir={session.folder / 'cache'}"
    )

    assert finished.code == 3, finished.text
    assert "No space left on device" in finished.text
    assert not [path for path in outcome_of(session.folder / "cache").glob("runtimes/*") if path.is_dir()]


@pytest.mark.fault(
    "a cache that is read-only, with what was cached before",
    "releases in it go on working; a run says that it can keep nothing there, with exit code 4",
)
def test_read_only_cache(session: Session) -> None:
    place = session.folder / "cache" / "runtimes" / f"release-1.0.20240101-{sys.implementation.cache_tag}"
    place.mkdir(parents=True)
    (place / "ncnn").symlink_to(runtimes.installed().module.parent)
    make_read_only(session, session.folder / "cache")
    cached = f"--cache-dir={session.folder / 'cache'}"

    assert session.program("measure", "small", "--ncnn=1.0.20240101", "--gauge=heap", cached).code == 0
    refused = session.pytest(*ONE)

    assert refused.code == pytest.ExitCode.USAGE_ERROR, refused.text
    assert "Read-only file system" in refused.text
    assert "--peakmem-cache-dir or the variable NCNN_PEAKMEM_CACHE_DIR" in refused.text


@pytest.mark.fault(
    "a read-only home", "exit code 4, naming the folder and NCNN_PEAKMEM_CACHE_DIR, with which all works"
)
def test_read_only_home(session: Session) -> None:
    home = session.folder / "home"
    make_read_only(session, home)
    session.environment |= {"HOME": str(home), "XDG_CACHE_HOME": "", "NCNN_PEAKMEM_CACHE_DIR": ""}
    command = [flag for flag in session.command(*ONE) if "cache-dir" not in flag]

    refused = session.finish(command)
    session.environment["NCNN_PEAKMEM_CACHE_DIR"] = str(session.folder / "cache")
    accepted = session.finish([*command, "--peakmem-update", "--peakmem-gauges=heap"])

    assert refused.code == pytest.ExitCode.USAGE_ERROR, refused.text
    assert f"{home}/.cache" in refused.text
    assert "NCNN_PEAKMEM_CACHE_DIR" in refused.text
    assert accepted.code == 0, accepted.text


@pytest.mark.fault(
    "no home at all", "an error that names NCNN_PEAKMEM_CACHE_DIR; nothing is laid where one stands"
)
def test_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "XDG_CACHE_HOME", "NCNN_PEAKMEM_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    # No line of /etc/passwd has this number.
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)

    with pytest.raises(OSError, match=r"no home folder .* set NCNN_PEAKMEM_CACHE_DIR to a folder"):
        Cache()


@pytest.mark.fault(
    "the disk of the temporary files is full",
    "measured where nothing has to be recorded there, else `failed`; judged and told in either case",
)
def test_full_temporary_files(updated: Session) -> None:
    fill_up(updated, updated.temporary)

    finished = updated.pytest(*ONE, "--capture=no")

    assert finished.code in {0, pytest.ExitCode.TESTS_FAILED}, finished.text
    assert "1 case judged: 1 " in finished.text
    assert ("1 same" in finished.text) == (finished.code == 0)
