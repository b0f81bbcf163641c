"""The real thing: what is learned on the spot, and computed, beside what gauge `heap` reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from ncnn_peakmem import machine, param_file, runtimes
from ncnn_peakmem.forecast import Forecast, Learned, Library, Setting, predict
from ncnn_peakmem.forecast.key import load_key
from ncnn_peakmem.forecast.learning import NotLearned, run_recipes
from ncnn_peakmem.forecast.lesson import teach, variants
from ncnn_peakmem.graph.graph import build
from ncnn_peakmem.measurement import Gauge, Reading
from ncnn_peakmem.network import InputBlob, Loops, ModelFiles
from ncnn_peakmem.probe import Conditions, Job, probe
from ncnn_peakmem.probe.layer_events import LayerTrace

LOOPS = Loops(4, 40)

UNRULED = """\
7767517
8 9
Input            data     0 1 data 0=64 1=64 2=3
Convolution      c1       1 1 data a 0=64 1=3 3=2 4=1 5=1 6=1728 9=1
Split            s        1 2 a a1 a2
Convolution      c2       1 1 a1 b 0=128 1=3 3=2 4=1 5=1 6=73728 9=1
Interp           up       1 1 b c 0=2 1=2.0 2=2.0
Concat           cat      2 1 a2 c d 0=0
Deconvolution    dc       1 1 d e 0=32 1=4 3=2 4=1 5=1 6=98304
Sigmoid          sg       1 1 e out
"""


@pytest.fixture
def unruled(tmp_path: Path) -> ModelFiles:
    """A network with layers that there are no rules for."""
    path = tmp_path / "unruled.param"
    path.write_text(UNRULED)
    return ModelFiles(path, None, (InputBlob("data", (3, 64, 64)),), ("out",), "unruled")


def setting(flags: dict[str, bool]) -> Setting:
    return Setting(machine.detect(), runtimes.installed().release, flags)


def measured(model: ModelFiles, flags: dict[str, bool]) -> Reading:
    return probe(Gauge.HEAP, Job(runtimes.installed(), model, flags), LOOPS, Conditions())


def told_after_a_lesson(model: ModelFiles, flags: dict[str, bool], folder: Path) -> Forecast:
    build, here = runtimes.installed(), machine.detect()
    learned = teach(Learned(here.id, build.release), "it", Job(build, model, flags), here, Conditions())
    Library(folder).store(learned)
    return predict(model, setting(flags), LOOPS, Library(folder))


def agrees(told: Forecast, reading: Reading) -> bool:
    same_phases = all(
        metrics == {metric: reading.gross(phase, metric) for metric in metrics}
        for phase, metrics in told.phases.items()
    )
    return same_phases and told.settled_at == reading.settled_at


@pytest.mark.parametrize("light", [True, False])
def test_forecast_after_a_lesson_is_what_the_gauge_reads(
    small_model: ModelFiles, tmp_path: Path, light: bool
) -> None:
    flags = {"lightmode": light}
    told = told_after_a_lesson(small_model, flags, tmp_path / "recipes")

    assert told.basis.computed == ()
    assert agrees(told, measured(small_model, flags))


@pytest.mark.parametrize("light", [True, False])
def test_layers_without_rules_can_be_learned(unruled: ModelFiles, tmp_path: Path, light: bool) -> None:
    flags = {"lightmode": light}
    reading = measured(unruled, flags)

    assert predict(unruled, setting(flags), LOOPS, Library(tmp_path)).basis.doubts
    told = told_after_a_lesson(unruled, flags, tmp_path / "recipes")
    assert told.basis.doubts == ()
    assert agrees(told, reading)


@pytest.mark.skipif(machine.detect().architecture != "x86_64", reason="the rules are those of x86_64")
@pytest.mark.parametrize("flags", [*variants({}), {"use_winograd_convolution": False}], ids=str)
def test_forecast_without_any_lesson_is_what_the_gauge_reads(
    small_model: ModelFiles, tmp_path: Path, flags: dict[str, bool]
) -> None:
    told = predict(small_model, setting(flags), LOOPS, Library(tmp_path))

    assert told.basis.computed_bytes > 0
    assert agrees(told, measured(small_model, flags))


def test_lessons_vary_what_is_not_given() -> None:
    assert len(variants({})) == 4
    assert variants({"lightmode": True, "use_fp16_storage": False, "use_bf16_storage": True}) == (
        {"lightmode": True, "use_fp16_storage": False, "use_bf16_storage": True},
    )


def test_trace_that_did_not_get_through_teaches_nothing(small_model: ModelFiles) -> None:
    network = param_file.read(small_model.param)
    graph = build(network, small_model.inputs)
    broken = LayerTrace((), (), {}, "timed_out in infer: 120 s")

    with pytest.raises(NotLearned, match="timed_out in infer"):
        run_recipes(broken, graph, network, setting({}))


def test_key_knows_nothing_of_names_but_all_that_matters(small_model: ModelFiles) -> None:
    first, second = param_file.read(small_model.param).layers[1:3]

    assert load_key(first, setting({})) == "Convolution 16 3x3 w432 b16 light"
    assert load_key(second, setting({"lightmode": False})) == "Convolution 32 3x3 s2 w4608 b32 heavy"
    fully = param_file.read(small_model.param).layers[4]
    assert load_key(fully, setting({})) != load_key(fully, setting({"use_fp16_storage": False}))
