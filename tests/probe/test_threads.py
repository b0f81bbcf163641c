"""Children with several threads: what is fixed for them, and what their figures can be held to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ncnn_peakmem import runtimes
from ncnn_peakmem.measurement import Caveat, Gauge, Metric, Phase, Reading
from ncnn_peakmem.network import InputBlob, Loops, ModelFiles
from ncnn_peakmem.probe import Conditions, Job, probe
from ncnn_peakmem.runtimes import Runtime

PAGES_TUNABLES = "GLIBC_TUNABLES=glibc.malloc.mmap_threshold=4096:glibc.malloc.top_pad=0"
PASSIVE_THREE = "OMP_NUM_THREADS=3:OMP_WAIT_POLICY=passive"

# Its threads allocate beside each other, as those of no convolution do.
ATTENTION_PARAM = """\
7767517
3 3
Input               data   0 1 data 0=64 1=49
MultiHeadAttention  att    1 1 data att 0=64 1=4 2=4096
Softmax             output 1 1 att output 0=1 1=1
"""

TELLING = """
__version__ = "1.0.20990101"
class Opt:
    num_threads = 1
class Net:
    opt = Opt()
    def load_param(self, path):
        import posix
        open({path!r}, "wb").write(open("/proc/self/environ", "rb").read())
        open({path!r} + ".cpus", "w").write(str(sorted(posix.sched_getaffinity(0))))
        return -1
"""


@pytest.fixture
def told(tmp_path: Path, small_model: ModelFiles) -> Callable[[Gauge, int], tuple[str, str]]:
    """The environment that a child of that many threads was started with, and the CPUs it may run on.

    Every byte of it, but what ends a variable reads as a colon.
    """

    def ask(gauge: Gauge, threads: int) -> tuple[str, str]:
        package, answer = tmp_path / "telling" / "ncnn", tmp_path / "answer"
        package.mkdir(parents=True)
        (package / "ncnn.py").write_text(TELLING.format(path=str(answer)))
        job = Job(Runtime("1.0.20990101", package / "ncnn.py"), small_model, {}, threads)
        reading = probe(gauge, job, Loops(), Conditions(cpu=min(os.sched_getaffinity(0))))
        assert "load_param returned -1" in reading.outcome.cause
        # Some glibc cut their tunables apart where they lie, with the byte that ends a variable.
        return answer.read_text().replace("\0", ":"), answer.with_suffix(".cpus").read_text()

    return ask


@pytest.fixture
def attention(tmp_path: Path) -> ModelFiles:
    param = tmp_path / "attention.param"
    param.write_text(ATTENTION_PARAM)
    return ModelFiles(param, None, (InputBlob("data", (49, 64)),), ("output",), "attention")


def measure(gauge: Gauge, model: ModelFiles, threads: int) -> Reading:
    job = Job(runtimes.installed(), model, {}, threads)
    reading = probe(gauge, job, Loops(), Conditions(cpu=min(os.sched_getaffinity(0))))
    assert reading.outcome.ok, reading.outcome.cause
    return reading


@pytest.mark.parametrize(
    ("gauge", "variables"),
    [
        (Gauge.HEAP, "OMP_NUM_THREADS=1:"),
        (Gauge.PAGES, f"OMP_NUM_THREADS=1:{PAGES_TUNABLES}:"),
        (Gauge.DEPLOYED, "OMP_NUM_THREADS=1:"),
    ],
)
def test_environment_of_one_thread_is_the_one_that_stored_figures_were_read_in(
    told: Callable[[Gauge, int], tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    gauge: Gauge,
    variables: str,
) -> None:
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)

    assert told(gauge, 1) == (variables, str([min(os.sched_getaffinity(0))]))


@pytest.mark.parametrize(
    ("gauge", "variables"),
    [
        (Gauge.HEAP, f"{PASSIVE_THREE}:"),
        (Gauge.PAGES, f"{PASSIVE_THREE}:{PAGES_TUNABLES}:glibc.malloc.arena_max=1:"),
        # Neither arenas nor any other thing of malloc's: users have it as it is.
        (Gauge.DEPLOYED, f"{PASSIVE_THREE}:"),
    ],
)
def test_several_threads_wait_without_spinning_and_may_run_on_every_cpu(
    told: Callable[[Gauge, int], tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    gauge: Gauge,
    variables: str,
) -> None:
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")

    assert told(gauge, 3) == (variables, str(sorted(os.sched_getaffinity(0))))


@pytest.mark.parametrize(
    ("gauge", "metric"),
    [(Gauge.HEAP, Metric.PEAK), (Gauge.PAGES, Metric.VM_PEAK), (Gauge.PAGES, Metric.RSS_ANON)],
)
@pytest.mark.parametrize("threads", [2, 4])
def test_convolutions_read_the_same_however_their_threads_meet(
    small_model: ModelFiles, gauge: Gauge, metric: Metric, threads: int
) -> None:
    first, second = measure(gauge, small_model, threads), measure(gauge, small_model, threads)

    for phase in Phase:
        assert first.net(phase, metric) == second.net(phase, metric), phase


def test_every_thread_more_has_a_stack_in_the_address_space(small_model: ModelFiles) -> None:
    peaks = [measure(Gauge.PAGES, small_model, threads).net_peak(Metric.VM_PEAK) for threads in (1, 2, 4)]

    one, two, four = (peak or 0 for peak in peaks)
    assert (four - two) == pytest.approx(2 * (two - one), rel=0.05)
    assert two - one >= 1 << 20


def test_no_arena_of_a_thread_hides_what_pages_reads(attention: ModelFiles) -> None:
    arena_bytes = 64 << 20

    reading = measure(Gauge.PAGES, attention, 2)

    assert (reading.net_peak(Metric.VM_PEAK) or 0) < arena_bytes


def test_not_being_pinned_is_no_caveat_of_several_threads(small_model: ModelFiles) -> None:
    assert Caveat.NOT_PINNED not in measure(Gauge.PAGES, small_model, 2).caveats
