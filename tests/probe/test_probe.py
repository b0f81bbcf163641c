from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import pytest

from ncnn_peakmem import runtimes
from ncnn_peakmem.measurement import Caveat, Gauge, Metric, OutcomeKind, Phase, Reading
from ncnn_peakmem.network import InputBlob, Loops, ModelFiles
from ncnn_peakmem.probe import (
    Conditions,
    Job,
    heap_gauge,
    launcher,
    probe,
    process_gauge,
    process_status,
)
from ncnn_peakmem.probe.heap_trace import stretches
from ncnn_peakmem.runtimes import Runtime

Measure = Callable[..., Reading]


@pytest.fixture
def measure(small_model: ModelFiles) -> Measure:
    def run(
        gauge: Gauge,
        *,
        model: ModelFiles = small_model,
        runtime: Runtime | None = None,
        flags: Mapping[str, bool] | None = None,
        conditions: Conditions | None = None,
        loops: Loops | None = None,
    ) -> Reading:
        job = Job(runtime or runtimes.installed(), model, flags or {})
        return probe(gauge, job, loops or Loops(), conditions or Conditions())

    return run


def fake(tmp_path: Path, body: str) -> Runtime:
    """A package in place of ncnn whose Net has the given methods."""
    package = tmp_path / "fake" / "ncnn"
    package.mkdir(parents=True)
    (package / "ncnn.py").write_text(f"__version__ = '1.0.20990101'\n{body}")
    return Runtime("1.0.20990101", package / "ncnn.py")


NET = """
import posix, sys, time
class Opt:
    num_threads = 1
class Mat:
    def __init__(self, *shape): pass
    def fill(self, value): pass
    def empty(self): return False
class Extractor:
    def input(self, name, mat): return 0
    def extract(self, name, mat): return 0
DataReaderFromEmpty = object
class Net:
    opt = Opt()
    def load_param(self, path): return 0
    def load_model(self, reader): return 0
    def create_extractor(self): return Extractor()
    def clear(self): pass
"""

EXTRACT = "    def create_extractor(self): return Extractor()\n"
GROWING_EXTRACT = """
    kept = []
    def create_extractor(self):
        if {condition}:
            self.kept.append(bytearray(1 << 20))
        return Extractor()
"""


@pytest.mark.parametrize("gauge", Gauge)
def test_every_phase_is_read(measure: Measure, gauge: Gauge) -> None:
    reading = measure(gauge)

    assert reading.outcome.ok
    assert list(reading.phases) == list(Phase)
    assert reading.loops >= Loops().minimum


@pytest.mark.parametrize("gauge", Gauge)
def test_two_probes_read_the_same_bytes(measure: Measure, gauge: Gauge) -> None:
    first, second = measure(gauge), measure(gauge)

    judged = [Metric.PEAK, Metric.LIVE] if gauge is Gauge.HEAP else [Metric.VM_PEAK]
    for phase in Phase:
        for metric in judged:
            assert first.gross(phase, metric) == second.gross(phase, metric), (phase, metric)


def test_heap_counts_what_a_mat_takes(measure: Measure) -> None:
    # 3x32x32 floats, and 4 bytes of reference count; fastMalloc asks for 64 more (src/allocator.h).
    plain = measure(Gauge.HEAP)
    input_bytes = 3 * 32 * 32 * 4 + 4 + 64

    grown = plain.phases[Phase.FIRST][Metric.LIVE] - plain.phases[Phase.LOAD_MODEL][Metric.LIVE]
    assert grown >= input_bytes
    assert plain.phases[Phase.UNLOAD][Metric.LIVE] == 0


def test_phase_peak_is_not_the_peak_of_an_earlier_phase(measure: Measure) -> None:
    heap = measure(Gauge.HEAP)

    assert heap.phases[Phase.LOAD_PARAM][Metric.PEAK] < heap.phases[Phase.LOAD_MODEL][Metric.PEAK]
    assert heap.phases[Phase.UNLOAD][Metric.PEAK] <= heap.phases[Phase.STEADY][Metric.PEAK]


def test_environment_of_the_caller_does_not_matter(measure: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    before = measure(Gauge.PAGES)
    monkeypatch.setenv("PADDING", "x" * 4000)
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    monkeypatch.setenv("PYTHONMALLOC", "malloc")

    after = measure(Gauge.PAGES)
    for phase in Phase:
        for metric in (Metric.VM_PEAK, Metric.RSS_ANON):
            assert after.gross(phase, metric) == before.gross(phase, metric), (phase, metric)


def test_where_files_lie_does_not_matter(measure: Measure, small_model: ModelFiles, tmp_path: Path) -> None:
    before = measure(Gauge.PAGES)
    far = tmp_path / ("far" * 40)
    installed = runtimes.installed()
    for folder in installed.module.parents[1].glob("ncnn*"):
        # The wheel's own libraries lie beside the package.
        shutil.copytree(folder, far / folder.name)
    shutil.copy(small_model.param, far / ("param" * 20))

    after = measure(
        Gauge.PAGES,
        model=dataclasses.replace(small_model, param=far / ("param" * 20)),
        runtime=Runtime(installed.version, far / "ncnn" / installed.module.name),
    )

    for phase in Phase:
        for metric in (Metric.VM_PEAK, Metric.RSS_ANON):
            assert after.gross(phase, metric) == before.gross(phase, metric), (phase, metric)


TELLING = """
    def load_model(self, reader):
        print({told}, file=sys.stderr, flush=True)
        return -1
"""


@pytest.mark.parametrize(
    ("gauge", "names"),
    [
        (Gauge.HEAP, ["OMP_NUM_THREADS"]),
        (Gauge.PAGES, ["GLIBC_TUNABLES", "OMP_NUM_THREADS"]),
        (Gauge.DEPLOYED, ["OMP_NUM_THREADS"]),
    ],
)
def test_environment_is_exact(
    measure: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gauge: Gauge, names: list[str]
) -> None:
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    # Python itself adds LC_CTYPE where it starts in the C locale (PEP 538).
    told = TELLING.format(told="sorted(name.decode() for name in posix.environ if name != b'LC_CTYPE')")

    assert measure(gauge, runtime=fake(tmp_path, NET + told)).outcome.cause.endswith(f"({names})")


@pytest.mark.parametrize("gauge", Gauge)
def test_single_thread_is_pinned_to_the_cpu_asked_for(measure: Measure, tmp_path: Path, gauge: Gauge) -> None:
    cpu = max(os.sched_getaffinity(0))
    runtime = fake(tmp_path, NET + TELLING.format(told="posix.sched_getaffinity(0)"))

    assert measure(gauge, runtime=runtime, conditions=Conditions(cpu=cpu)).outcome.cause.endswith(
        f"({{{cpu}}})"
    )


def test_controls_hold_in_the_child(measure: Measure, tmp_path: Path) -> None:
    status = "[line for line in open('/proc/self/status') if line.startswith('THP_enabled')]"
    personality = "open('/proc/self/personality').read().strip()"
    runtime = fake(tmp_path, NET + TELLING.format(told=f"({personality}, {status})"))

    reading = measure(Gauge.PAGES, runtime=runtime)

    assert "('00040000', ['THP_enabled:\\t0\\n'])" in reading.outcome.cause
    assert reading.caveats == ()


def test_controls_that_cannot_be_had_are_caveats(measure: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "_controls", lambda *_: lambda: None)
    monkeypatch.setattr(process_gauge, "reset_vm_hwm", lambda _: False)

    reading = measure(Gauge.PAGES, conditions=Conditions(cpu=min(os.sched_getaffinity(0))))

    assert reading.outcome.ok
    assert set(reading.caveats) == {
        Caveat.ASLR_ON,
        Caveat.THP_ON,
        Caveat.NOT_PINNED,
        Caveat.NO_PHASE_HWM,
    }


def test_cpu_that_is_not_to_be_had_is_a_caveat(measure: Measure) -> None:
    reading = measure(Gauge.PAGES, conditions=Conditions(cpu=1023))

    assert reading.outcome.ok
    assert reading.caveats == (Caveat.NOT_PINNED,)


def test_recording_that_breaks_off_is_failed(measure: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap_gauge, "stretches", lambda trace: list(stretches(trace))[:3])

    reading = measure(Gauge.HEAP)

    assert reading.outcome.kind is OutcomeKind.FAILED
    assert reading.outcome.cause == "the recording of the heap broke off before prepare_input"
    assert list(reading.phases) == [Phase.IMPORT, Phase.LOAD_PARAM, Phase.LOAD_MODEL]


def test_child_dies_with_its_parent(small_model: ModelFiles, tmp_path: Path) -> None:
    meeting = tmp_path / "meeting"
    os.mkfifo(meeting)
    hang = (
        f"        open({str(meeting)!r}, 'w').write(str(posix.getpid()))\n        while True: time.sleep(1)\n"
    )
    runtime = fake(tmp_path, NET + "    def load_model(self, reader):\n" + hang)
    script = (
        "import sys; from pathlib import Path; from ncnn_peakmem.measurement import Gauge;"
        "from ncnn_peakmem.network import *; from ncnn_peakmem.probe import *;"
        "from ncnn_peakmem.runtimes import Runtime; module, param = map(Path, sys.argv[1:]);"
        "model = ModelFiles(param, None, (), (), '');"
        "probe(Gauge.PAGES, Job(Runtime('1', module), model, {}), Loops(), Conditions())"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(runtime.module), str(small_model.param)],
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    child = psutil.Process(int(meeting.read_text()))

    parent.kill()
    parent.wait()

    _, alive = psutil.wait_procs([child], timeout=30)
    assert alive == []


@pytest.mark.parametrize("gauge", Gauge)
def test_option_that_this_ncnn_lacks_is_unsupported(measure: Measure, gauge: Gauge) -> None:
    reading = measure(gauge, flags={"use_image_storage": True})

    assert reading.outcome.kind is OutcomeKind.UNSUPPORTED
    assert reading.outcome.phase is Phase.LOAD_PARAM
    assert "use_image_storage" in reading.outcome.cause
    assert list(reading.phases) == [Phase.IMPORT]


@pytest.mark.parametrize("gauge", Gauge)
def test_unknown_layer_is_unsupported(measure: Measure, small_model: ModelFiles, gauge: Gauge) -> None:
    text = small_model.param.read_text().replace("Softmax ", "Det ")
    small_model.param.write_text(text)

    reading = measure(gauge)

    assert reading.outcome.kind is OutcomeKind.UNSUPPORTED
    assert reading.outcome.cause == "this ncnn has no layer Det"


@pytest.mark.parametrize("gauge", Gauge)
def test_truncated_bin_is_failed_with_what_ncnn_says(
    measure: Measure, small_model: ModelFiles, tmp_path: Path, gauge: Gauge
) -> None:
    weights = tmp_path / "small.bin"
    weights.write_bytes(bytes(1000))

    reading = measure(gauge, model=dataclasses.replace(small_model, bin=weights))

    assert reading.outcome.kind is OutcomeKind.FAILED
    assert reading.outcome.phase is Phase.LOAD_MODEL
    assert "load_model returned -1 (layer load_model" in reading.outcome.cause
    assert Phase.LOAD_PARAM in reading.phases
    assert Phase.LOAD_MODEL not in reading.phases


def test_unknown_output_is_failed(measure: Measure, small_model: ModelFiles) -> None:
    reading = measure(Gauge.PAGES, model=dataclasses.replace(small_model, outputs=("no_such_blob",)))

    assert reading.outcome.kind is OutcomeKind.FAILED
    assert reading.outcome.phase is Phase.FIRST
    assert "extract no_such_blob returned" in reading.outcome.cause


def test_missing_param_is_failed(measure: Measure, small_model: ModelFiles) -> None:
    small_model.param.unlink()

    assert "fopen" in measure(Gauge.PAGES).outcome.cause


@pytest.mark.parametrize("gauge", Gauge)
@pytest.mark.parametrize("phase", [Phase.LOAD_PARAM, Phase.LOAD_MODEL, Phase.FIRST, Phase.UNLOAD])
def test_crash_is_an_outcome_in_its_phase(
    measure: Measure, tmp_path: Path, gauge: Gauge, phase: Phase
) -> None:
    method = {
        Phase.LOAD_PARAM: "load_param(self, path)",
        Phase.LOAD_MODEL: "load_model(self, reader)",
        Phase.FIRST: "create_extractor(self)",
        Phase.UNLOAD: "clear(self)",
    }[phase]
    body = NET + f"    def {method}:\n        posix.kill(posix.getpid(), 11)\n        time.sleep(9)\n"

    reading = measure(gauge, runtime=fake(tmp_path, body))

    assert reading.outcome.kind is OutcomeKind.CRASHED
    assert reading.outcome.cause.startswith("SIGSEGV in ")
    assert reading.outcome.phase is phase
    finished = list(Phase)[: list(Phase).index(phase)]
    assert list(reading.phases) == finished


@pytest.mark.parametrize("gauge", Gauge)
def test_hang_is_timed_out_and_leaves_no_process(measure: Measure, tmp_path: Path, gauge: Gauge) -> None:
    body = NET + "    def load_model(self, reader):\n        while True: time.sleep(1)\n"
    before = psutil.Process().children()

    reading = measure(gauge, runtime=fake(tmp_path, body), conditions=Conditions(step_timeout_seconds=2))

    assert reading.outcome.kind is OutcomeKind.TIMED_OUT
    assert reading.outcome.phase is Phase.LOAD_MODEL
    assert psutil.Process().children() == before


def test_child_that_floods_stderr_does_not_block(measure: Measure, tmp_path: Path) -> None:
    body = NET + (
        "    def load_model(self, reader):\n"
        "        for _ in range(64): sys.stderr.write('x' * 65536)\n"
        "        sys.stderr.write('\\nthe last word\\n'); sys.stderr.flush()\n"
        "        return -1\n"
    )

    reading = measure(Gauge.PAGES, runtime=fake(tmp_path, body))

    assert reading.outcome.cause == "load_model returned -1 (the last word)"


def test_child_that_prints_does_not_disturb_the_wire(measure: Measure, tmp_path: Path) -> None:
    body = NET + "    def load_model(self, reader):\n        print('ok 1', flush=True)\n        return 0\n"

    assert measure(Gauge.PAGES, runtime=fake(tmp_path, body)).outcome.ok


def test_python_exception_is_failed(measure: Measure, tmp_path: Path) -> None:
    body = NET + "    def load_model(self, reader):\n        raise ValueError('two\\nlines')\n"

    reading = measure(Gauge.PAGES, runtime=fake(tmp_path, body))

    assert reading.outcome.kind is OutcomeKind.FAILED
    assert reading.outcome.cause == "load_model: ValueError: two lines"


@pytest.mark.parametrize("gauge", [Gauge.PAGES, Gauge.DEPLOYED])
def test_memory_limit_is_out_of_memory(measure: Measure, gauge: Gauge) -> None:
    floor = measure(gauge).floor(Metric.VM_PEAK)

    reading = measure(gauge, conditions=Conditions(memory_limit_bytes=floor + 2**17))

    assert reading.outcome.kind is OutcomeKind.OUT_OF_MEMORY
    assert reading.outcome.phase in {Phase.LOAD_PARAM, Phase.LOAD_MODEL, Phase.FIRST}


def test_input_of_the_wrong_rank_is_failed(measure: Measure, small_model: ModelFiles) -> None:
    model = dataclasses.replace(small_model, inputs=(InputBlob("data", (7,)),))

    assert measure(Gauge.PAGES, model=model).outcome.kind in {OutcomeKind.FAILED, OutcomeKind.CRASHED}


def test_growth_until_the_maximum_is_told(measure: Measure, tmp_path: Path) -> None:
    body = NET.replace(EXTRACT, GROWING_EXTRACT.format(condition="True"))

    reading = measure(Gauge.PAGES, runtime=fake(tmp_path, body), loops=Loops(minimum=4, maximum=20))

    assert reading.outcome.ok
    assert reading.growing
    assert (reading.loops, reading.settled_at) == (20, 19)


def test_looping_goes_on_while_the_peak_moves(measure: Measure, tmp_path: Path) -> None:
    body = NET.replace(EXTRACT, GROWING_EXTRACT.format(condition="len(self.kept) < 10"))

    reading = measure(Gauge.PAGES, runtime=fake(tmp_path, body), loops=Loops(minimum=4, maximum=100))

    assert not reading.growing
    assert (reading.loops, reading.settled_at) == (20, 9)


def test_empty_output_is_failed(measure: Measure, tmp_path: Path) -> None:
    body = NET.replace("def empty(self): return False", "def empty(self): return True")

    reading = measure(Gauge.PAGES, runtime=fake(tmp_path, body))

    assert reading.outcome.cause == "extract output gave an empty output"


def test_resident_peak_is_the_phases_own(measure: Measure, tmp_path: Path) -> None:
    body = NET + "    def load_model(self, reader):\n        bytearray(b'x') * (1 << 24)\n        return 0\n"

    phases = measure(Gauge.DEPLOYED, runtime=fake(tmp_path, body)).phases

    # The kernel's mark of a short peak may be off by some 200 KiB, hence half of what was taken.
    assert phases[Phase.LOAD_MODEL][Metric.VM_HWM] > phases[Phase.LOAD_PARAM][Metric.VM_HWM] + (1 << 23)
    assert phases[Phase.FIRST][Metric.VM_HWM] < phases[Phase.LOAD_MODEL][Metric.VM_HWM] - (1 << 23)


def test_nothing_of_a_loop_is_alive_in_the_next(measure: Measure, tmp_path: Path) -> None:
    counting = """
class Mat:
    outputs = 0
    def __init__(self, *shape):
        self.output = not shape
        Mat.outputs += self.output
    def __del__(self): Mat.outputs -= self.output
    def fill(self, value): pass
    def empty(self): return False
class Extractor:
    alive = 0
    def __init__(self): Extractor.alive += 1
    def __del__(self): Extractor.alive -= 1
    def input(self, name, mat): return 0
    def extract(self, name, mat): return 0
class Net(Net):
    def create_extractor(self):
        if Extractor.alive or Mat.outputs:
            raise RuntimeError(f"{Extractor.alive} extractors, {Mat.outputs} outputs")
        return Extractor()
"""

    assert measure(Gauge.PAGES, runtime=fake(tmp_path, NET + counting)).outcome.cause == ""


@pytest.mark.parametrize(
    ("kills", "kind", "cause"),
    [
        ([3, 4], OutcomeKind.OUT_OF_MEMORY, "killed by the kernel for want of memory in load_model"),
        ([3, 3], OutcomeKind.CRASHED, "SIGKILL in load_model"),
    ],
)
def test_sigkill_is_told_by_the_kernels_own_count(
    measure: Measure,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kills: list[int],
    kind: OutcomeKind,
    cause: str,
) -> None:
    body = NET + "    def load_model(self, reader):\n        posix.kill(posix.getpid(), 9)\n"
    counted = iter(kills)
    monkeypatch.setattr(process_status, "out_of_memory_kills", lambda: next(counted))

    outcome = measure(Gauge.PAGES, runtime=fake(tmp_path, body)).outcome

    assert (outcome.kind, outcome.cause) == (kind, cause)
