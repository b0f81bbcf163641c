from __future__ import annotations

from collections.abc import Sequence

import pytest

from ncnn_peakmem.anatomy.attribution import Attribution, attribute
from ncnn_peakmem.anatomy.difference import difference
from ncnn_peakmem.anatomy.paired_runs import PairedRuns
from ncnn_peakmem.anatomy.part import Kind, Moment, Part, Split
from ncnn_peakmem.anatomy.pool_replay import replay
from ncnn_peakmem.anatomy.saving import savings
from ncnn_peakmem.anatomy.share import OUTPUT_COPY
from ncnn_peakmem.anatomy.timeline import timeline
from ncnn_peakmem.measurement import Phase
from ncnn_peakmem.network import InputBlob
from ncnn_peakmem.param_file import parse
from ncnn_peakmem.probe.layer_events import (
    Asked,
    BlobSize,
    Entered,
    Event,
    Extracted,
    Freed,
    GivenBack,
    LayerTrace,
    Loaded,
    Pool,
    Stretch,
    Taken,
)

PARAM = """\
7767517
4 4
Input           data 0 1 data
Convolution     conv 1 1 data a 0=8 1=3 4=1 5=1 6=216
Convolution     next 1 1 a b 0=8 1=1 5=1 6=64
InnerProduct    fc   1 1 b out 0=10 1=1 2=640
"""
LAYERS = parse(PARAM).layers
DATA, CONV, NEXT, FC = range(4)
OVERREAD = 64


def mat(numbers: int, size: int = 4) -> int:
    """What a Mat of so many numbers takes."""
    return -(-numbers * size // 4) * 4 + 4 + OVERREAD


CONV_READ, CONV_BIAS = mat(216), mat(8)
NEXT_READ, NEXT_BIAS = mat(64), mat(8)
FC_READ, FC_BIAS, FC_PACKED = mat(640), mat(10), mat(640, 2)


class Tape:
    """Writes down a run; blocks have names, which stand for their addresses."""

    def __init__(self, start: int = 0) -> None:
        self.stretches: list[Stretch] = []
        self._events: list[Event] = []
        self._addresses: dict[str, int] = {}
        self._next = start

    def taken(self, name: str, size: int) -> Tape:
        self._next += 4096
        self._addresses[name] = self._next
        return self._add(Taken(self._next, size))

    def freed(self, *names: str) -> Tape:
        for name in names:
            self._add(Freed(self._addresses[name]))
        return self

    def asked(self, pool: Pool, layer: int, name: str, size: int) -> Tape:
        if name not in self._addresses:
            self.taken(name, size + OVERREAD)
        return self._add(Asked(pool, layer, self._addresses[name], size))

    def back(self, pool: Pool, name: str) -> Tape:
        return self._add(GivenBack(pool, self._addresses[name]))

    def add(self, *events: Event) -> Tape:
        for event in events:
            self._add(event)
        return self

    def end(self, command: str, phase: Phase, loop: int | None = None) -> Tape:
        self.stretches.append(Stretch(command, phase, loop, tuple(self._events)))
        self._events = []
        return self

    def _add(self, event: Event) -> Tape:
        self._events.append(event)
        return self


def loaded(tape: Tape, *, light: bool = True, extra: int = 0) -> Tape:
    """Loading layer after layer, as since 20231027; `extra` bytes are taken while `next` reads, for good."""
    tape.end("load_param", Phase.LOAD_PARAM).add(Loaded(DATA))
    tape.taken("conv", CONV_READ).taken("conv bias", CONV_BIAS).taken("conv packed", CONV_READ)
    if light:
        tape.freed("conv")
    tape.add(Loaded(CONV)).taken("next", NEXT_READ)
    if extra:
        tape.taken("extra", extra)
    tape.taken("next bias", NEXT_BIAS).taken("scratch", NEXT_READ).taken("next packed", NEXT_READ)
    tape.freed(*(["scratch", "next"] if light else ["scratch"])).add(Loaded(NEXT))
    tape.taken("fc", FC_READ).taken("fc bias", FC_BIAS).taken("fc packed", FC_PACKED)
    if light:
        tape.freed("fc")
    tape.add(Loaded(FC)).end("load_model", Phase.LOAD_MODEL)
    return tape.taken("input", 1000).end("prepare_input", Phase.FIRST)


def one_shot(steps: Tape, *, strange: int = 0) -> tuple[Stretch, ...]:
    """The run as ever: what malloc sees of the steps, at other addresses, and perhaps something more."""
    stretches = []
    for stretch in steps.stretches:
        events: list[Event] = [
            Taken(event.address + 7, event.size) if isinstance(event, Taken) else Freed(event.address + 7)
            for event in stretch.events
            if isinstance(event, Taken | Freed)
        ]
        if stretch.command == "infer" and strange:
            events += [Taken(1, strange), Freed(1)]
        stretches.append(Stretch(stretch.command, stretch.phase, stretch.loop, tuple(events)))
    return tuple(stretches)


def inferred(tape: Tape, loop: int = 0, *, copy: int = 0) -> Tape:
    """Conv pads and makes a, next pads in the same block, which is larger, and fc makes its own of a."""
    blob, work = Pool.BLOB, Pool.WORKSPACE
    tape.add(Entered(CONV)).asked(work, CONV, "pad", 5000).asked(blob, CONV, "a", 3000).back(work, "pad")
    tape.add(Entered(NEXT)).asked(work, NEXT, "pad", 2000).asked(blob, NEXT, "b", 4000)
    tape.back(work, "pad").back(blob, "a")
    tape.add(Entered(FC)).asked(blob, FC, "a", 40).back(blob, "b").add(Extracted())
    if copy:
        tape.taken("copy", copy)
    tape.back(blob, "a")
    if copy:
        tape.freed("copy")
    return tape.end("infer", Phase.STEADY if loop else Phase.FIRST, loop)


def attributed(
    steps: Tape, *, strange: int = 0, trouble: str = "", stepped: Sequence[Stretch] | None = None
) -> Attribution:
    traced = tuple(steps.stretches if stepped is None else stepped)
    return attribute(
        PairedRuns(LayerTrace(one_shot(steps, strange=strange), traced, {}, trouble), LAYERS), "digest"
    )


def shown(split: Split) -> dict[tuple[str, Kind], int]:
    return {(part.layer, part.kind): part.bytes for part in split.parts}


@pytest.fixture
def light() -> Attribution:
    return attributed(inferred(loaded(Tape())))


def test_parts_sum_to_the_peak(light: Attribution) -> None:
    everything = CONV_READ + CONV_BIAS + NEXT_READ + NEXT_BIAS + FC_PACKED + FC_BIAS + 1000
    pools = 5000 + 3000 + 4000 + 3 * OVERREAD

    assert light.peak.bytes == everything + pools
    assert sum(part.bytes for part in light.peak.parts) == light.peak.bytes
    assert light.notes == ()


def test_pool_blocks_are_live_as_far_as_they_are_asked_for(light: Attribution) -> None:
    parts = shown(light.peak)

    assert light.peak.moment == Moment(Phase.FIRST, 0, "next", "conv 1x1 8->8")
    assert parts["conv", Kind.LIVE_BLOB] == 3000 + OVERREAD
    assert parts["next", Kind.LIVE_BLOB] == 4000 + OVERREAD
    assert parts["next", Kind.WORKSPACE] == 2000 + OVERREAD
    assert parts["conv", Kind.IDLE_POOL] == 5000 - 2000


def test_input_and_weights_have_their_layers(light: Attribution) -> None:
    parts = shown(light.peak)

    assert parts["data", Kind.INPUT] == 1000
    assert parts["conv", Kind.WEIGHTS] == CONV_READ + CONV_BIAS
    assert parts["fc", Kind.WEIGHTS] == FC_PACKED + FC_BIAS


def test_load_peak_names_the_layer_in_flight(light: Attribution) -> None:
    parts = shown(light.load)

    assert light.load.moment == Moment(Phase.LOAD_MODEL, None, "fc", "fc 64->10")
    assert parts["fc", Kind.HELD_TWICE] == FC_READ
    assert parts["fc", Kind.WEIGHTS] == FC_PACKED + FC_BIAS
    assert ("conv", Kind.HELD_TWICE) not in parts


def test_weights_as_read_are_the_second_copy_without_light_mode() -> None:
    peak = attributed(inferred(loaded(Tape(), light=False))).peak

    assert shown(peak)["conv", Kind.HELD_TWICE] == CONV_READ
    assert shown(peak)["fc", Kind.HELD_TWICE] == FC_READ
    assert peak.of(Kind.WEIGHTS) == CONV_READ + CONV_BIAS + NEXT_READ + NEXT_BIAS + FC_PACKED + FC_BIAS


def test_releases_that_read_all_weights_first() -> None:
    steps = Tape().end("load_param", Phase.LOAD_PARAM)
    for name, read, bias in (
        ("conv", CONV_READ, CONV_BIAS),
        ("next", NEXT_READ, NEXT_BIAS),
        ("fc", FC_READ, FC_BIAS),
    ):
        steps.taken(name, read).taken(f"{name} bias", bias)
    steps.add(Loaded(DATA)).taken("conv packed", CONV_READ).freed("conv").add(Loaded(CONV))
    steps.taken("next packed", NEXT_READ).freed("next").add(Loaded(NEXT))
    steps.taken("fc packed", FC_PACKED).freed("fc").add(Loaded(FC)).end("load_model", Phase.LOAD_MODEL)
    attribution = attributed(inferred(steps.taken("input", 1000).end("prepare_input", Phase.FIRST)))

    assert attribution.load.moment.layer == "fc"
    assert shown(attribution.load) == {
        ("fc", Kind.HELD_TWICE): FC_READ,
        ("fc", Kind.WEIGHTS): FC_PACKED + FC_BIAS,
        ("conv", Kind.WEIGHTS): CONV_READ + CONV_BIAS,
        ("next", Kind.WEIGHTS): NEXT_READ + NEXT_BIAS,
    }
    assert attribution.notes == ()


def test_weights_that_cannot_be_told_apart_are_told() -> None:
    steps = Tape().end("load_param", Phase.LOAD_PARAM)
    steps.taken("conv", CONV_READ).taken("conv bias", CONV_BIAS).taken("next", NEXT_READ).taken("odd", 777)
    for layer in (DATA, CONV, NEXT, FC):
        steps.add(Loaded(layer))
    steps.end("load_model", Phase.LOAD_MODEL).end("prepare_input", Phase.FIRST)

    attribution = attributed(inferred(steps))

    assert sum(part.bytes for part in attribution.load.parts if part.layer == "next") == NEXT_READ + 777
    assert any("fc" in note for note in attribution.notes)


@pytest.mark.parametrize(("extra", "kind"), [(3 * NEXT_READ, Kind.HELD_TWICE), (1 << 18, Kind.OTHER)])
def test_what_a_layer_takes_beyond_its_weights_is_not_weights(extra: int, kind: Kind) -> None:
    old = attributed(inferred(loaded(Tape())))
    new = attributed(inferred(loaded(Tape(), extra=extra)))

    (growth,) = difference(new.peak, old.peak)

    assert (growth.layer, growth.kind, growth.bytes) == ("next", kind, extra)
    assert growth.where == "conv 1x1 8->8 (next)"


def test_output_copy_is_a_part_and_does_not_move_the_moment() -> None:
    plain = attributed(inferred(loaded(Tape())))
    copied = attributed(inferred(loaded(Tape()), copy=40 + OVERREAD))

    assert copied.peak.bytes == plain.peak.bytes + 40 + OVERREAD
    assert copied.peak.moment == plain.peak.moment
    assert Part("fc", "fc 64->10", Kind.LIVE_BLOB, 40 + OVERREAD, OUTPUT_COPY) in copied.peak.parts
    assert copied.notes == ()


def test_what_only_the_one_shot_run_has_is_other_and_told() -> None:
    attribution = attributed(inferred(loaded(Tape())), strange=12345)

    (part,) = (part for part in attribution.peak.parts if part.kind is Kind.OTHER)
    assert (part.layer, part.bytes) == ("", 12345)
    assert "12345 bytes" in attribution.notes[0]


def test_growth_in_a_later_loop_is_where_the_peak_is() -> None:
    steps = inferred(inferred(loaded(Tape())), loop=1)
    steps.add(Entered(FC)).asked(Pool.WORKSPACE, FC, "late", 900).end("infer", Phase.STEADY, 2)

    peak = attributed(steps).peak

    assert peak.moment == Moment(Phase.STEADY, 2, "fc", "fc 64->10")
    assert shown(peak)["fc", Kind.WORKSPACE] == 900 + OVERREAD
    assert peak.of(Kind.LIVE_BLOB) == 0, "between inferences all blobs are back"


def test_block_that_a_layer_takes_by_itself_is_its_workspace() -> None:
    steps = loaded(Tape()).add(Entered(CONV)).taken("own", 70_000).freed("own")
    steps.end("infer", Phase.FIRST, 0)

    (part,) = (part for part in attributed(steps).peak.parts if part.kind is Kind.WORKSPACE)
    assert (part.layer, part.bytes, part.note) == ("conv", 70_000, "outside the pools")


def test_without_the_steps_of_inference_weights_and_input_are_still_split() -> None:
    steps = inferred(loaded(Tape()))
    attribution = attributed(steps, trouble="timed_out in infer", stepped=steps.stretches[:3])
    parts = shown(attribution.peak)

    assert parts["fc", Kind.WEIGHTS] == FC_PACKED + FC_BIAS
    assert parts["data", Kind.INPUT] == 1000
    assert parts["", Kind.OTHER] == 5000 + 3000 + 4000 + 3 * OVERREAD
    assert "timed_out in infer" in attribution.notes[0]


def test_without_any_steps_there_is_the_coarse_split() -> None:
    attribution = attributed(inferred(loaded(Tape())), trouble="crashed in load_model", stepped=[])

    assert set(shown(attribution.peak)) == {
        ("", Kind.WEIGHTS),
        ("data", Kind.INPUT),
        ("", Kind.OTHER),
    }
    assert sum(part.bytes for part in attribution.peak.parts) == attribution.peak.bytes


def test_json_gives_it_back(light: Attribution) -> None:
    assert Attribution.from_json(light.to_json()) == light


def test_difference_is_ranked_and_sums_to_the_change() -> None:
    def split(*parts: Part) -> Split:
        return Split(sum(part.bytes for part in parts), Moment(Phase.FIRST), parts)

    old = split(
        Part("a", "conv", Kind.WEIGHTS, 100),
        Part("b", "fc", Kind.WORKSPACE, 50),
        Part("c", "", Kind.INPUT, 9),
    )
    new = split(
        Part("a", "conv", Kind.WEIGHTS, 90),
        Part("b", "fc", Kind.LIVE_BLOB, 60),
        Part("b", "fc", Kind.LIVE_BLOB, 10, OUTPUT_COPY),
        Part("c", "", Kind.INPUT, 9),
    )

    grown = difference(new, old)

    assert [(growth.layer, growth.kind, growth.bytes) for growth in grown] == [
        ("b", Kind.LIVE_BLOB, 70),
        ("a", Kind.WEIGHTS, -10),
        ("b", Kind.WORKSPACE, -50),
    ]
    assert sum(growth.bytes for growth in grown) == new.bytes - old.bytes


def test_timeline_follows_the_layers() -> None:
    steps = inferred(loaded(Tape()))
    sizes = {
        CONV: (BlobSize((8, 9, 9), 2592),),
        NEXT: (BlobSize((8, 9, 9), 2592),),
        FC: (BlobSize((10,), 40),),
    }
    runs = PairedRuns(LayerTrace(one_shot(steps), tuple(steps.stretches), sizes), LAYERS)

    conv, after, fc = timeline(runs, 0, sizes, [InputBlob("data", (3, 9, 9))])

    weights = CONV_READ + CONV_BIAS + NEXT_READ + NEXT_BIAS + FC_PACKED + FC_BIAS
    assert (conv.input, conv.output, conv.stored) == (3 * 9 * 9 * 4, 2592, 864)
    assert (conv.weights, conv.workspace) == (CONV_READ + CONV_BIAS, 5000)
    assert conv.live_after == weights + 1000 + 3000
    assert after.input == conv.output
    assert after.workspace == 2000
    assert after.running_peak == fc.running_peak == fc.held_after == weights + 1000 + 12000 + 3 * OVERREAD
    assert fc.live_after == weights + 1000 + 40


def test_replay_takes_the_first_free_block_that_is_large_enough() -> None:
    work = Pool.WORKSPACE
    steps = Tape().asked(work, CONV, "large", 300).asked(work, CONV, "small", 100)
    steps.back(work, "large").back(work, "small")
    # The large one came back first, so it is taken; then 200 bytes find nothing.
    steps.asked(work, NEXT, "large", 160).asked(work, NEXT, "fresh", 200).end("infer", Phase.FIRST, 0)

    assert replay(steps.stretches).peak == 300 + 100 + 200 + 3 * OVERREAD


def test_replay_lets_the_smallest_of_ten_free_blocks_go() -> None:
    work, names = Pool.WORKSPACE, [f"block {number}" for number in range(10)]
    steps = Tape()
    for number, name in enumerate(names):
        steps.asked(work, CONV, name, 100 + number)
    for name in names:
        steps.back(work, name)
    steps.asked(work, NEXT, "fresh", 500).end("infer", Phase.FIRST, 0)

    assert replay(steps.stretches).peak == sum(range(101, 110)) + 500 + 10 * OVERREAD


def test_saving_is_what_the_pools_would_do_without_a_request() -> None:
    steps = inferred(loaded(Tape()))
    runs = PairedRuns(LayerTrace(one_shot(steps), tuple(steps.stretches), {}), LAYERS)
    peak = attribute(runs, "digest").peak

    lowered = {(saving.layer, saving.kind): saving for saving in savings(runs, peak)}

    # Without conv's padding the pool would take a block for the 2000 bytes that `next` asks for.
    assert lowered["conv", Kind.WORKSPACE].peak == peak.bytes - 5000 + 2000
    assert lowered["next", Kind.LIVE_BLOB].peak == peak.bytes - 4000 - OVERREAD
    assert lowered["fc", Kind.WEIGHTS].peak == peak.bytes - FC_PACKED - FC_BIAS
