from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from memray import AllocationRecord, AllocatorType

from ncnn_peakmem import param_file, runtimes
from ncnn_peakmem.anatomy.heap_block import heap_blocks, highest
from ncnn_peakmem.anatomy.layer_title import title
from ncnn_peakmem.measurement import Gauge, Metric, OutcomeKind, Phase
from ncnn_peakmem.network import InputBlob, Loops, ModelFiles
from ncnn_peakmem.probe import Conditions, Job, ProbeEnded, heap_trace, layer_trace, probe
from ncnn_peakmem.probe.layer_events import (
    Asked,
    BlobSize,
    Entered,
    LayerTrace,
    Loaded,
    Stretch,
    Taken,
)
from ncnn_peakmem.probe.layer_trace import trace
from ncnn_peakmem.runtimes import Runtime

BRANCHES = """\
7767517
7 8
Input            data     0 1 data 0=16 1=16 2=8
Split            fork     1 2 data l r
Convolution      right    1 1 r right 0=8 1=3 4=1 5=1 6=576
Convolution      left     1 1 l left 0=8 1=1 5=1 6=64
ReLU             act      1 1 left act
BinaryOp         add      2 1 act right sum
Pooling          pool     1 1 sum pool 0=1 4=1
"""
"""Two branches, of which the one written last runs first."""

WRAPPER = """\
import importlib.machinery, importlib.util, time
loader = importlib.machinery.ExtensionFileLoader("ncnn", {module!r})
real = importlib.util.module_from_spec(importlib.util.spec_from_loader("ncnn", loader))
loader.exec_module(real)
globals().update(vars(real))
__version__ = {version!r}
"""


@pytest.fixture
def job(small_model: ModelFiles) -> Job:
    return Job(runtimes.installed(), small_model, {})


@pytest.fixture
def wrapped(tmp_path: Path) -> Callable[[str], Runtime]:
    """The installed ncnn, with more Python behind it."""

    def make(body: str) -> Runtime:
        real = runtimes.installed()
        package = tmp_path / "wrapped" / "ncnn"
        package.mkdir(parents=True)
        source = WRAPPER.format(module=str(real.module), version=real.version)
        (package / "ncnn.py").write_text(source + body)
        return runtimes.from_directory(package.parent)

    return make


def peak(stretches: tuple[Stretch, ...]) -> int:
    return highest(heap_blocks(stretches), 0, len(stretches))[1]


def order(traced: LayerTrace, loop: int = 0) -> list[int]:
    (stretch,) = (stretch for stretch in traced.stepped if stretch.loop == loop)
    return [event.layer for event in stretch.events if isinstance(event, Entered)]


def test_one_shot_run_is_what_the_heap_gauge_measures(job: Job) -> None:
    reading = probe(Gauge.HEAP, job, Loops(3, 3), Conditions())

    traced = trace(job, 3, Conditions())

    assert traced.trouble == ""
    assert peak(traced.one_shot) == reading.peak(Metric.PEAK)
    assert [stretch.command for stretch in traced.one_shot] == [stretch.command for stretch in traced.stepped]
    assert [stretch.loop for stretch in traced.stepped] == [None, None, None, 0, 1, 2, None]
    assert traced.stepped[4].phase is Phase.STEADY


def test_steps_take_the_same_blocks_as_one_shot(job: Job) -> None:
    traced = trace(job, 3, Conditions())

    def sizes(stretch: Stretch) -> list[int]:
        return [event.size for event in stretch.events if isinstance(event, Taken)]

    for one, other in zip(traced.one_shot, traced.stepped, strict=True):
        assert sizes(one) == sizes(other), one.command


def test_every_layer_is_marked_and_sized(job: Job) -> None:
    traced = trace(job, 1, Conditions())
    names = [layer.name for layer in param_file.read(job.model.param).layers]

    marks = [event.layer for event in traced.stepped[1].events if isinstance(event, Loaded)]
    assert marks == list(range(len(names)))
    assert [names[layer] for layer in order(traced)] == names[1:]
    assert traced.sizes[names.index("conv1")] == (BlobSize((16, 32, 32), 16 * 32 * 32 * 4),)
    assert traced.sizes[names.index("fc")] == (BlobSize((10,), 40),)


def test_branches_run_in_ncnns_own_order(tmp_path: Path) -> None:
    param = tmp_path / "branches.param"
    param.write_text(BRANCHES + "\n")
    model = ModelFiles(param, None, (InputBlob("data", (8, 16, 16)),), ("pool",), "branches")

    traced = trace(Job(runtimes.installed(), model, {}), 2, Conditions())

    layers = param_file.read(param).layers
    assert traced.trouble == ""
    assert [layers[layer].name for layer in order(traced)] == ["fork", "left", "act", "right", "add", "pool"]
    assert order(traced, 1) == order(traced)
    assert len(traced.sizes[1]) == 2, "both names that Split gives its blob"


@pytest.mark.parametrize("heavy", [True, False])
def test_requests_name_the_layer_that_makes_them(job: Job, heavy: bool) -> None:
    traced = trace(Job(job.runtime, job.model, {"lightmode": not heavy}), 1, Conditions())

    layers = param_file.read(job.model.param).layers
    asking = {layers[event.layer].name for event in traced.stepped[3].events if isinstance(event, Asked)}
    assert {"conv1", "conv2", "conv3", "fc"} <= asking


def test_threads_of_the_case_are_not_used(job: Job) -> None:
    threaded = Job(job.runtime, job.model, {}, threads=4)

    assert peak(trace(threaded, 1, Conditions()).one_shot) == peak(trace(job, 1, Conditions()).one_shot)


HANGING = """
class Pool:
    pass
class Extractor:
    def __init__(self, extractor): self.extractor = extractor
    def input(self, name, mat): return self.extractor.input(name, mat)
    def set_blob_allocator(self, pool): self.extractor.set_blob_allocator(pool)
    def set_workspace_allocator(self, pool): self.extractor.set_workspace_allocator(pool)
    def extract(self, name, mat, kind=0):
        if kind:
            {trouble}
        return self.extractor.extract(name, mat, kind)
class Net(real.Net):
    def create_extractor(self): return Extractor(super().create_extractor())
"""


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        ("time.sleep(60)", "timed_out in infer"),
        ("import os; os.kill(os.getpid(), 11)", "crashed in infer: SIGSEGV"),
        ("return -100", "failed in infer"),
    ],
)
def test_steps_that_fail_leave_the_one_shot_run(
    job: Job, wrapped: Callable[[str], Runtime], trouble: str, told: str
) -> None:
    runtime = wrapped(HANGING.format(trouble=trouble))

    traced = trace(Job(runtime, job.model, {}), 2, Conditions(step_timeout_seconds=3))

    assert told in traced.trouble
    assert len(traced.one_shot) == 6
    assert peak(traced.one_shot) == peak(trace(job, 2, Conditions()).one_shot)
    assert [stretch.command for stretch in traced.stepped] == ["load_param", "load_model", "prepare_input"]
    assert sum(isinstance(event, Loaded) for event in traced.stepped[1].events) == 6


def breaking_off(monkeypatch: pytest.MonkeyPatch, marks: int) -> None:
    """Have the recording end with the mark of that number, which ends a command."""
    records = heap_trace.records

    def cut(recording: Path) -> Iterator[AllocationRecord]:
        left = marks
        for record in records(recording):
            yield record
            left -= record.allocator == AllocatorType.MMAP and record.size == heap_trace.MARK_BYTES
            if not left:
                return

    monkeypatch.setattr(heap_trace, "records", cut)


@pytest.mark.parametrize(
    ("marks", "phase", "told"),
    [
        (1, Phase.LOAD_PARAM, "before load_param"),
        (2, Phase.LOAD_MODEL, "before load_model"),
        (6, Phase.UNLOAD, "before unload"),
    ],
)
def test_recording_that_breaks_off_as_it_runs_is_an_outcome(
    job: Job, monkeypatch: pytest.MonkeyPatch, marks: int, phase: Phase, told: str
) -> None:
    breaking_off(monkeypatch, marks)

    with pytest.raises(ProbeEnded, match=f"the recording of the heap broke off {told}") as ended:
        trace(job, 2, Conditions())

    assert (ended.value.outcome.kind, ended.value.outcome.phase) == (OutcomeKind.FAILED, phase)


@pytest.mark.parametrize(
    ("marks", "told"), [(7, "before load_param"), (9, "before prepare_input"), (12, "before unload")]
)
def test_recording_that_breaks_off_in_the_steps_leaves_the_one_shot_run(
    job: Job, monkeypatch: pytest.MonkeyPatch, marks: int, told: str
) -> None:
    whole = trace(job, 2, Conditions())
    breaking_off(monkeypatch, marks)

    traced = trace(job, 2, Conditions())

    assert traced.trouble == f"failed: the recording of the heap broke off {told}"
    assert peak(traced.one_shot) == peak(whole.one_shot)
    assert len(traced.stepped) == marks - 7


def test_network_that_does_not_run_is_an_outcome(job: Job) -> None:
    with pytest.raises(ProbeEnded, match="no option use_image_storage"):
        trace(Job(job.runtime, job.model, {"use_image_storage": True}), 1, Conditions())


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("Convolution c 1 1 a b 0=32 1=3 3=2 6=864", "conv 3x3 s2 3->32"),
        ("Convolution c 1 1 a b 0=1024 1=1 6=1048576", "conv 1x1 1024->1024"),
        ("Convolution c 1 1 a b 0=8 1=7 11=1 6=448", "conv 1x7 8->8"),
        ("ConvolutionDepthWise c 1 1 a b 0=64 1=3 3=1 6=576 7=64", "dwconv 3x3 64"),
        ("ConvolutionDepthWise c 1 1 a b 0=64 1=3 6=4608 7=8", "conv 3x3 g8 64->64"),
        ("InnerProduct c 1 1 a b 0=1000 2=1024000", "fc 1024->1000"),
        ("Pooling c 1 1 a b 0=0 1=3 2=2", "max pool 3x3 s2"),
        ("Pooling c 1 1 a b 0=1 4=1", "global avg pool"),
        ("ShuffleChannel c 1 1 a b 0=2", "ShuffleChannel"),
        ("Convolution c 1 1 a b 0=0 1=3", "conv 3x3 0->0"),
    ],
)
def test_layers_have_readable_titles(line: str, told: str) -> None:
    graph = param_file.parse(f"7767517\n2 2\nInput a 0 1 a\n{line}\n")

    assert title(graph.layers[1]) == told


def test_what_stands_before_ncnn_imports_nothing_of_ours_and_speaks_the_traces_language() -> None:
    source = Path(layer_trace.__file__).with_name("stepping_ncnn.py").read_text()

    assert "import ncnn_peakmem" not in source
    assert "from ncnn_peakmem" not in source
    for told in ("MARK_BYTES = 11", 'MARKING_LAYER = "PeakmemMark"', "WORKSPACE = range(1, 6)"):
        assert told in source
        assert f"_{told}" in Path(layer_trace.__file__).read_text()
