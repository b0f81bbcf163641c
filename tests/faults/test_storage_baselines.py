"""Baselines that were damaged, and updates that meet: none is lost, torn or half-updated."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ncnn_peakmem import machine, runtimes
from ncnn_peakmem.baselines import BaselineError, BaselineStore
from ncnn_peakmem.measurement import (
    Gauge,
    Measurement,
    MeasurementSet,
    Metric,
    Outcome,
    OutcomeKind,
    Phase,
    Reading,
)
from tests.conftest import SMALL_PARAM
from tests.faults.session import Session, cases_of, session_in

CASES = ("other-fp32-light-t1", "small-fp32-heavy-t1", "small-fp32-light-t1")


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return session_in(tmp_path, SMALL_PARAM)


def case(name: str, peak: int = 1000) -> Measurement:
    phases = {Phase.LOAD_MODEL: {Metric.PEAK: peak, Metric.LIVE: 10}}
    return Measurement(name, "digest", {Gauge.HEAP: Reading(Outcome(OutcomeKind.OK), phases, 12, 3)})


@pytest.fixture
def store(session: Session) -> BaselineStore:
    """Baselines of the installed ncnn."""
    store = BaselineStore(session.folder / "baselines")
    store.update(figures(session, {name: case(name) for name in CASES}))
    return store


def figures(session: Session, cases: dict[str, Measurement]) -> MeasurementSet:
    return MeasurementSet(runtimes.installed().version, machine.detect(), cases)


def assert_refused(session: Session, store: BaselineStore, damaged: bytes, line: int | None) -> str:
    """A reader and an update both refuse the file, name it with its line, and leave it as it is."""
    file = session.baseline
    file.write_bytes(damaged)
    told = []
    for attempt in (
        lambda: store.load(figures(session, {}).machine, runtimes.installed().release),
        lambda: store.update(figures(session, {"new-t1": case("new-t1")})),
    ):
        with pytest.raises(BaselineError) as caught:
            attempt()
        told.append(str(caught.value))
    assert file.read_bytes() == damaged
    assert list(file.parent.iterdir()) == [file]
    assert told[0] == told[1]
    assert told[0].startswith(f"{file}:{line}: " if line is not None else str(file))
    return told[0]


@pytest.mark.fault(
    "a baseline file truncated at any byte",
    "refused with file, line and what to do; nothing is measured; `--peakmem-update` leaves it as it is",
)
def test_truncated(session: Session, store: BaselineStore) -> None:
    whole = session.baseline.read_bytes()
    # The last byte is a line's end, without which the document is whole.
    for length in [*range(0, len(whole) - 1, 37), len(whole) - 2]:
        line = max(1, len(whole[:length].splitlines()))
        told = assert_refused(session, store, whole[:length], None)
        assert "was it cut short?" in told
        assert any(f":{near}: " in told for near in (line, line + 1))
        assert "restore it from version control" in told


Spoil = Callable[[str], str]


def swap(old: str, new: str) -> Spoil:
    """Puts something in the place of its first appearance."""

    def spoil(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return spoil


def conflict(text: str) -> str:
    line = '          "loops": 12,\n'
    ours, theirs = line, line.replace("12", "14")
    return text.replace(line, f"<<<<<<< HEAD\n{ours}=======\n{theirs}>>>>>>> theirs\n", 1)


def two_halves(text: str) -> str:
    """The upper half of one version, and the lower half of another that was indented otherwise."""
    other = json.dumps(json.loads(text), indent=1)
    return text[: text.index('"live"')] + other[other.index('"settled_at"') :]


def later(text: str) -> str:
    """A case of the file once more behind the last one."""
    cases = json.loads(text)["cases"]
    again = json.dumps({CASES[0]: cases[CASES[0]]})[1:-1]
    end = text.rindex("\n  }\n}")
    return f"{text[:end]},\n    {again}{text[end:]}"


MACHINE = '"physical_cores": '


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        pytest.param(conflict, "merge-conflict markers: take one side", id="conflict marker"),
        pytest.param(two_halves, "was it cut short?", id="two halves"),
        pytest.param(later, f"has the key '{CASES[0]}' twice", id="case twice"),
        pytest.param(lambda text: text.rstrip()[:-1], "was it cut short?", id="brace missing"),
        pytest.param(lambda text: text + "}", "was it cut short?", id="brace too many"),
        pytest.param(
            swap('"schema": 1', '"schema": 99'), "by a newer ncnn-peakmem; upgrade", id="newer schema"
        ),
        pytest.param(
            swap('"schema": 1', '"schema": 1, "schema": 1'), "the key 'schema' twice", id="key twice"
        ),
        pytest.param(swap(MACHINE, f"{MACHINE}99"), "of another machine class", id="machine class"),
        pytest.param(swap('"ncnn": "1.', '"ncnn": "2.'), "of another ncnn version", id="version"),
        pytest.param(swap("1000", "-1000"), "greater than or equal to 0", id="negative"),
        pytest.param(swap("1000", "1000.5"), "valid integer", id="part of a byte"),
        pytest.param(swap("1000", "1e3"), "valid integer", id="float"),
        pytest.param(swap("1000", '"1000"'), "valid integer", id="string"),
        pytest.param(swap("1000", "null"), "valid integer", id="null"),
        pytest.param(swap("1000", "9" * 30), "less than or equal", id="huge"),
        pytest.param(swap("1000", "9" * 9999), "not a baseline", id="endless"),
    ],
)
@pytest.mark.fault(
    "a baseline file merged wrongly: two halves, a case or a brace too many, another machine's or version's",
    "refused with file, line and what to do; `--peakmem-update` leaves it as it is",
)
@pytest.mark.fault("a baseline file with a conflict marker", "the same")
@pytest.mark.fault("a baseline file from a newer schema", "the same: upgrade to read it")
@pytest.mark.fault("a baseline file with duplicate keys", "the same")
@pytest.mark.fault("a baseline file with figures that are negative, fractions, texts or huge", "the same")
def test_spoilt(session: Session, store: BaselineStore, spoil: Spoil, told: str) -> None:
    text = session.baseline.read_text()

    assert told in assert_refused(session, store, spoil(text).encode(), None)


@pytest.mark.parametrize("flags", [(), ("--peakmem-update",)])
@pytest.mark.fault(
    "a damaged baseline file met by a run", "exit code 4 before anything is measured; the file stays as it is"
)
def test_run_on_a_damaged_file(session: Session, store: BaselineStore, flags: tuple[str, ...]) -> None:
    damaged = conflict(session.baseline.read_text())
    session.baseline.write_text(damaged)

    finished = session.pytest(*flags)

    assert finished.code == pytest.ExitCode.USAGE_ERROR, finished.text
    line = damaged[: damaged.index("<<<<")].count("\n") + 1
    assert f"{session.baseline}:{line}: " in finished.text
    assert session.baseline.read_text() == damaged
    assert session.records() == {}
    assert not list(session.folder.glob("cache/runs/*"))


WRITER = """
import sys
from pathlib import Path
from ncnn_peakmem.baselines import BaselineStore, read
from ncnn_peakmem.measurement import Measurement, MeasurementSet

folder, sample, *cases = sys.argv[1:]
known = read(Path(sample))
readings = next(iter(known.cases.values())).readings
print("ready", flush=True)
sys.stdin.readline()
for case in cases:
    fresh = {case: Measurement(case, "digest", readings)}
    BaselineStore(Path(folder)).update(MeasurementSet(known.ncnn, known.machine, fresh))
"""


@pytest.mark.parametrize("writers", [2, 4])
@pytest.mark.fault(
    "two runs, or four, update the same baselines at once, whatever temporary folder each has",
    "the file is whole and has the cases of all",
)
def test_updates_at_once(session: Session, store: BaselineStore, writers: int, tmp_path: Path) -> None:
    sample = tmp_path / "sample.json"
    sample.write_bytes(session.baseline.read_bytes())
    names = [[f"{writer}-{number}-t1" for number in range(10)] for writer in range(writers)]
    processes = []
    for writer, cases in enumerate(names):
        temporary = tmp_path / f"temporary-{writer}"
        temporary.mkdir()
        processes.append(
            subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    WRITER,
                    str(store.folder),
                    str(sample),
                    "shared-t1",
                    *cases,
                    "shared-t1",
                ],
                env={**os.environ, "TMPDIR": str(temporary)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=120)
        assert process.returncode == 0

    assert cases_of(session.baseline) == sorted(
        [*CASES, "shared-t1", *(name for some in names for name in some)]
    )
    assert list(session.baseline.parent.iterdir()) == [session.baseline]
    assert store.load(figures(session, {}).machine, runtimes.installed().release).cases["shared-t1"].readings
