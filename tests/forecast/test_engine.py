"""Small graphs with recipes given, beside figures worked out by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace

from packaging.version import Version

from ncnn_peakmem import param_file
from ncnn_peakmem.anatomy.part import Kind
from ncnn_peakmem.forecast import Forecast, Learned, Setting, predict
from ncnn_peakmem.forecast.cookbook import Cookbook
from ncnn_peakmem.forecast.engine import forecast
from ncnn_peakmem.forecast.key import load_key, run_key
from ncnn_peakmem.forecast.recipe import LoadRecipe, RunRecipe
from ncnn_peakmem.graph.graph import build
from ncnn_peakmem.measurement import Metric, Phase
from ncnn_peakmem.network import InputBlob, Loops, ModelFiles

INPUT = 1000 * 4 + 4 + 64
OUTPUT_COPY = 10 * 4 + 8 + 4 + 64
"""Ten numbers, aligned to 16 bytes."""

CHAIN = """\
7767517
4 4
Input          data 0 1 data
InnerProduct   one  1 1 data a 0=50 1=1 2=50000
Sigmoid        two  1 1 a b
InnerProduct   last 1 1 b out 0=10 1=1 2=500
"""

FORK = """\
7767517
6 7
Input          data 0 1 data
InnerProduct   one  1 1 data a 0=50 1=1 2=50000
Split          part 1 2 a b c
Sigmoid        two  1 1 b d
BinaryOp       add  2 1 d c e 0=0
InnerProduct   last 1 1 e out 0=10 1=1 2=500
"""


LOOPS = Loops(3, 10)


@dataclass
class Kitchen:
    """Recipes by layer name; a `*` marks that of a layer that works in place on a blob that it shares."""

    text: str
    setting: Setting
    load: dict[str, str]
    run: dict[str, str]
    loops: Loops = LOOPS

    def forecast(self) -> Forecast:
        network = param_file.parse(self.text)
        graph = build(network, [InputBlob("data", (1000,))])
        layers = {layer.name: layer for layer in network.layers}
        nodes = {node.name: node for node in graph.nodes}
        packs = {"data": 1}
        run: dict[str, RunRecipe] = {}
        for name, text in self.run.items():
            node = nodes[name.removesuffix("*")]
            for pack in (1, 2, 4, 8, 16):
                packs_of = [packs.get(blob, pack) for blob in node.bottoms]
                run[run_key(node, packs_of, self.setting, shared=name.endswith("*"))] = RunRecipe.parse(text)
        learned = Learned(
            self.setting.machine.id,
            self.setting.release,
            {
                load_key(layers[name], self.setting): LoadRecipe.parse(text)
                for name, text in self.load.items()
            },
            run,
        )
        return forecast(network, graph, Cookbook(learned, self.setting), self.loops)


LOAD = {"one": "r200 k10 p100 -0", "last": "r40 p30 -0"}


def peaks(told: Forecast, *phases: Phase) -> list[tuple[int, int]]:
    return [(told.phases[phase][Metric.PEAK], told.phases[phase][Metric.LIVE]) for phase in phases]


def test_layers_are_loaded_one_after_the_other(light: Setting) -> None:
    told = Kitchen(CHAIN, light, LOAD, {"one": "b1000", "two": "", "last": "b50"}).forecast()

    # 200 + 10 + 100 at most, then 110 and the two of the last layer.
    assert peaks(told, Phase.LOAD_PARAM, Phase.LOAD_MODEL) == [(0, 0), (310, 140)]
    assert {part.kind: part.bytes for part in told.load.parts} == {Kind.WEIGHTS: 110, Kind.HELD_TWICE: 200}


def test_all_weights_are_read_first_in_older_releases(light: Setting) -> None:
    before = replace(light, release=Version("1.0.20230816"))
    load = {"one": "r200 k10 | p100 -0", "last": "r40 | p30 -0"}
    told = Kitchen(CHAIN, before, load, {"one": "b1000", "two": "", "last": "b50"}).forecast()

    assert peaks(told, Phase.LOAD_MODEL) == [(350, 140)]


def test_light_mode_lets_go_of_what_was_read_and_the_pool_keeps_it(light: Setting) -> None:
    run = {"one": "w300 b1000 -0 .", "two": "", "last": "b500 ."}
    told = Kitchen(CHAIN, light, LOAD, run).forecast()

    # Blobs of 1000 and 500 are held at once; the workspace is idle by then.
    held = 140 + INPUT + (300 + 64) + (1000 + 64) + (500 + 64)
    assert peaks(told, Phase.FIRST, Phase.STEADY) == [(held + OUTPUT_COPY, held)] * 2
    assert told.peak.of(Kind.IDLE_POOL) == 300 + 64
    assert told.peak.of(Kind.LIVE_BLOB) == 1000 + 64 + 500 + 64 + OUTPUT_COPY
    assert sum(part.bytes for part in told.peak.parts) == told.peak.bytes


def test_without_it_every_blob_is_kept_and_layers_do_not_work_in_place(heavy: Setting) -> None:
    run = {"one": "b1000", "two": "b700", "last": "b500"}
    told = Kitchen(CHAIN, heavy, LOAD, run).forecast()

    assert peaks(told, Phase.FIRST)[0][1] == 140 + INPUT + 1064 + 764 + 564


def test_pools_live_on_and_grow_until_every_request_fits(light: Setting) -> None:
    # The second request finds nothing large enough in the first loop, nor in the second: there the first
    # request has taken the larger block, which came back before the smaller one.
    run = {"one": "b100 b200 -1 -0 b50", "two": "", "last": "b10 ."}
    told = Kitchen(CHAIN, light, LOAD, run).forecast()

    assert told.settled_at == 1
    assert told.phases[Phase.STEADY][Metric.LIVE] - told.phases[Phase.FIRST][Metric.LIVE] == 200 + 64
    assert told.loops == 4


def test_growth_that_outlasts_the_loops_is_told(light: Setting) -> None:
    run = {"one": "b100 b200 -1 -0 b50", "two": "", "last": "b10 ."}

    assert Kitchen(CHAIN, light, LOAD, run, Loops(1, 3)).forecast().growing
    assert not Kitchen(CHAIN, light, LOAD, run, Loops(1, 4)).forecast().growing


def test_shared_blob_is_cloned_before_a_layer_works_in_place(light: Setting) -> None:
    run = {"one": "b1000", "part": "", "two*": "b700", "add": "b600 .", "last": "b500 ."}
    told = Kitchen(FORK, light, LOAD, run).forecast()

    # The clone, what Split handed on and the sum are held at once; then the last layer finds a free block.
    assert peaks(told, Phase.FIRST)[0][1] == 140 + INPUT + 1064 + 764 + 664
    assert told.basis.computed == ()


def test_input_is_the_callers_and_never_worked_on_in_place(light: Setting) -> None:
    text = CHAIN.replace("one  1 1 data a", "one  1 1 b a").replace("two  1 1 a b", "two  1 1 data b")
    lines = text.splitlines()
    text = "\n".join([*lines[:3], lines[4], lines[3], lines[5].replace("1 1 b out", "1 1 a out")]) + "\n"
    told = Kitchen(text, light, LOAD, {"two*": "b4004", "one": "b200 .", "last": "b50 ."}).forecast()

    # The clone, which comes back when it is read, serves the last layer.
    assert told.basis.computed == ()
    assert peaks(told, Phase.FIRST)[0][1] == 140 + INPUT + 4004 + 64 + 200 + 64


def test_split_holds_a_blob_until_its_last_reader_is_done(light: Setting) -> None:
    run = {"one": "b1000", "part": "", "two*": "b700 . ", "add": "b1001 .", "last": "b500 ."}
    told = Kitchen(FORK, light, LOAD, run).forecast()

    # Were the first blob let go of by then, the sum would still not fit: the last layer takes that block.
    assert peaks(told, Phase.FIRST)[0][1] == 140 + INPUT + 1064 + 764 + 1065


def test_where_light_mode_lets_go_before_a_request_that_fits_is_found(light: Setting) -> None:
    early = Kitchen(CHAIN, light, LOAD, {"one": "b1000", "two": "", "last": ". b500"}).forecast()
    late = Kitchen(CHAIN, light, LOAD, {"one": "b1000", "two": "", "last": "b500 ."}).forecast()

    assert early.peak.bytes == late.peak.bytes - 564


def test_peak_of_loading_is_the_peak_if_it_is_higher(light: Setting) -> None:
    load = {"one": "r20000 k10 p100 -0", "last": "r40 p30 -0"}
    told = Kitchen(CHAIN, light, load, {"one": "b100", "two": "", "last": "b50 ."}).forecast()

    assert told.peak == told.load
    assert told.peak.bytes == 20110
    assert (told.peak.moment.phase, told.peak.moment.layer) == (Phase.LOAD_MODEL, "one")


def test_layer_that_was_not_learned_is_computed_and_named(light: Setting) -> None:
    learned = Kitchen(CHAIN, light, LOAD, {"one": "b1000", "two": ""}).forecast()

    assert learned.basis.layers == 2
    assert learned.basis.computed == ("last",)
    assert learned.basis.computed_bytes == OUTPUT_COPY + 48 + 4 + 64
    assert learned.basis.doubts == ()


def test_rule_that_was_never_checked_is_a_doubt(heavy: Setting) -> None:
    told = Kitchen(CHAIN, heavy, LOAD, {"one": "b1000", "last": "b500"}).forecast()

    assert told.basis.computed == ("two",)
    assert told.basis.doubts == ("no rule was checked for layers of type Sigmoid",)


def test_recipes_of_another_release_count_where_there_is_no_rule(light: Setting, heavy: Setting) -> None:
    network = param_file.parse(CHAIN)
    nodes = build(network, [InputBlob("data", (1000,))]).nodes
    run = {run_key(nodes[0], [1], heavy, shared=True): RunRecipe.parse("b9")}
    run |= {run_key(nodes[1], [1], heavy, shared=False): RunRecipe.parse("b777")}

    def first(release: str) -> int:
        learned = Learned(light.machine.id, Version(release), {}, run)
        told = forecast(
            network, build(network, [InputBlob("data", (1000,))]), Cookbook(learned, heavy), LOOPS
        )
        return told.phases[Phase.FIRST][Metric.LIVE] - told.phases[Phase.LOAD_MODEL][Metric.LIVE] - INPUT

    last = 48 + 4 + 64
    assert first(str(heavy.release)) == 9 + 64 + 777 + 64 + last
    assert first("1.0.20260526") == 50 * 4 + 8 + 4 + 64 + 777 + 64 + last


def test_forecast_turns_to_json_and_back(light: Setting) -> None:
    told = Kitchen(CHAIN, light, LOAD, {"one": "b1000", "two": "", "last": "b50 ."}).forecast()

    assert Forecast.from_json(told.to_json()) == told


def test_loops_that_go_round_are_not_gone_through(light: Setting, models: dict[str, ModelFiles]) -> None:
    """A million of them would take hours."""
    told = predict(models["shufflenet_v2"], light, Loops(1_000_000, 2_000_000))

    assert (told.loops, told.settled_at) == (1_000_000, 1)
