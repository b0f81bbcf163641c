"""Memory counted on paper: networks that can be counted by hand, and ncnn's own allocations beside them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ncnn_peakmem import param_file
from ncnn_peakmem.accounting import CONVENTIONS, DEVICES, Convention, Device, conventions, fit
from ncnn_peakmem.accounting.building_block import building_blocks
from ncnn_peakmem.accounting.layer_table import LayerTable, Row, layer_table
from ncnn_peakmem.accounting.liveness import Moment, moments
from ncnn_peakmem.graph import Graph, build
from ncnn_peakmem.graph.label import label
from ncnn_peakmem.network import InputBlob, Shape

CHAIN = """\
Input                data 0 1 data
Convolution          stem 1 1 data a 0=8 1=3 3=2 4=1 5=1 6=288 9=1
ReLU                 relu 1 1 a b
ConvolutionDepthWise each 1 1 b c 0=8 1=3 4=1 5=1 6=72 7=8 9=1
Pooling              pool 1 1 c d 0=1 4=1
InnerProduct         last 1 1 d out 0=10 1=1 2=80
"""

# A bottleneck: its shortcut is the input of the block, which BatchNorm may not write over.
RESIDUAL = """\
Input       data  0 1 data
Convolution wide  1 1 data a 0=16 1=1 6=64
Split       fork  1 2 a left right
BatchNorm   norm  1 1 right b 0=16
Convolution inner 1 1 b c 0=32 1=1 6=512
ReLU        bend  1 1 c d
Convolution outer 1 1 d e 0=16 1=1 6=512
BinaryOp    add   2 1 left e f 0=0
Reshape     flat  1 1 f g 0=64 1=16
Reduction   mean  1 1 g out 0=3
"""

# Two inverted residuals, of which only the second has a shortcut, with activations of their own.
INVERTED = """\
Input                data   0 1 data
Convolution          widen1 1 1 data a 0=24 1=1 6=96 9=3 -23310=2,0.0,6.0
ConvolutionDepthWise deep1  1 1 a b 0=24 1=3 3=2 4=1 6=216 7=24 9=3 -23310=2,0.0,6.0
Convolution          thin1  1 1 b c 0=6 1=1 6=144
Split                fork   1 2 c left right
Convolution          widen2 1 1 right d 0=36 1=1 6=216
Clip                 clip2  1 1 d e 0=0.0 1=6.0
ConvolutionDepthWise deep2  1 1 e f 0=36 1=3 4=1 6=324 7=36
Clip                 clip3  1 1 f g 0=0.0 1=6.0
Convolution          thin2  1 1 g h 0=6 1=1 6=216
BinaryOp             add    2 1 left h out 0=0
"""

# Records what ncnn takes from its blob allocator, and tells the most of it that was alive at once.
TRACER = """\
import ctypes, json, sys, ncnn
address_of = ctypes.pythonapi.PyCapsule_GetPointer
address_of.restype, address_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
held, peak = {}, 0
class Tracer(ncnn.PoolAllocator):
    def fastMalloc(self, size):
        global peak
        pointer = super().fastMalloc(size)
        # Beside its numbers, a blob has a reference count of less than 16 bytes.
        held[address_of(pointer, None)] = size // 16 * 16
        peak = max(peak, sum(held.values()))
        return pointer
    def fastFree(self, pointer):
        del held[address_of(pointer, None)]
        super().fastFree(pointer)
param, light = sys.argv[1], sys.argv[2] == "light"
net = ncnn.Net()
net.opt.use_packing_layout = False
net.opt.num_threads = 1
net.load_param(param)
net.load_model(ncnn.DataReaderFromEmpty())
tracer, workspace = Tracer(), ncnn.PoolAllocator()
extractor = net.create_extractor()
extractor.set_light_mode(light)
extractor.set_blob_allocator(tracer)
extractor.set_workspace_allocator(workspace)
data = ncnn.Mat(8, 8, 4)
data.fill(0.0)
extractor.input("data", data)
result = ncnn.Mat()
extractor.extract("out", result, 1)
print(json.dumps(peak))
del result
extractor.clear()
"""


def param_text(layers: str) -> str:
    lines = layers.splitlines()
    blobs = sum(int(line.split()[3]) for line in lines)
    return "\n".join(["7767517", f"{len(lines)} {blobs}", *lines, ""])


def graph_of(layers: str, shape: Shape) -> Graph:
    return build(param_file.parse(param_text(layers)), [InputBlob("data", shape)])


@pytest.fixture
def chain() -> Graph:
    return graph_of(CHAIN, (4, 8, 8))


@pytest.fixture
def residual() -> Graph:
    return graph_of(RESIDUAL, (4, 8, 8))


@pytest.fixture
def inverted() -> Graph:
    return graph_of(INVERTED, (4, 8, 8))


def test_table_has_a_line_for_each_layer_that_makes_a_blob(chain: Graph) -> None:
    assert layer_table(chain, 4).rows == (
        Row("stem", "conv 3x3x4x8 s2", 4 * 4 * 64, 4 * 8 * 16, 4 * 288),
        Row("each", "dw 3x3x8", 4 * 8 * 16, 4 * 8 * 16, 4 * 72),
        Row("pool", "avg pool 4x4", 4 * 8 * 16, 4 * 8, 0),
        Row("last", "fc 8x10", 4 * 8, 4 * 10, 4 * 80),
    )


def test_sum_and_maximum_are_of_layers_with_weights(chain: Graph) -> None:
    stem, each, last = (256 + 128 + 288, 128 + 128 + 72, 8 + 10 + 80)

    assert conventions.layer_sum(chain, 1) == stem + each + last
    assert conventions.layer_sum(chain, 2) == 2 * (stem + each + last)
    assert conventions.largest_layer(chain, 1) == stem
    assert layer_table(chain, 1).total == stem + each + last + 128 + 8
    assert layer_table(chain, 1).weighted.largest.layer == "stem"


def test_counted_where_there_is_nothing_to_count() -> None:
    bare = graph_of("Input data 0 1 data\nReLU relu 1 1 data out\n", (4, 8, 8))

    counted = {convention.name: convention.count(bare, 1) for convention in CONVENTIONS}

    assert counted == {
        "layer sum": 0,
        "largest layer": 0,
        "largest input + output": 0,
        "MCUNet's code": 0,
        "block input held": 0,
        "liveness": 256,
        "all blobs": 512,
    }
    assert layer_table(bare, 1) == LayerTable(())


def test_every_input_of_a_layer_counts(residual: Graph) -> None:
    assert conventions.largest_input_and_output(residual, 1) == (16 + 16 + 16) * 64
    assert conventions.mcunet_code(residual, 1) == (16 + 32) * 64


def test_residual_block_is_between_fork_and_addition(residual: Graph) -> None:
    (block,) = building_blocks(residual)

    assert (block.entry, block.shortcut) == ("a", True)
    names = [residual.nodes[number].name for number in sorted(block.nodes)]
    assert names == ["norm", "inner", "bend", "outer", "add"]


def test_input_of_a_residual_block_is_held(residual: Graph) -> None:
    held, read, made = 16 * 64, 32 * 64, 16 * 64

    assert conventions.block_input_held(residual, 1) == held + read + made


def test_addition_writes_over_an_operand() -> None:
    """Two branches that are both wider than what entered: their addition takes two of its three blobs."""
    wide = RESIDUAL.replace("BatchNorm   norm  1 1 right b 0=16", "Noop norm 1 1 right b").replace(
        "BinaryOp    add   2 1 left e f",
        "Convolution short 1 1 left s 0=48 1=1 6=768\nBinaryOp add 2 1 s e f",
    )
    graph = graph_of(
        wide.replace("0=16 1=1 6=512", "0=48 1=1 6=1536").replace("0=64 1=16", "0=64 1=48"), (4, 8, 8)
    )

    assert conventions.block_input_held(graph, 1) == (48 + 48 + 16) * 64
    assert conventions.largest_input_and_output(graph, 1) == (48 + 48 + 48) * 64


def test_inverted_residuals_are_found_without_a_shortcut(inverted: Graph) -> None:
    told = [
        (block.entry, block.shortcut, [inverted.nodes[number].name for number in sorted(block.nodes)])
        for block in building_blocks(inverted)
    ]

    second = ["widen2", "clip2", "deep2", "clip3", "thin2"]
    assert told == [
        ("data", False, ["widen1", "deep1", "thin1"]),
        ("c", False, second),
        ("c", True, [*second, "add"]),
    ]


def test_input_of_an_inverted_residual_is_held(inverted: Graph) -> None:
    assert conventions.largest_input_and_output(inverted, 1) == (24 * 64 + 24 * 16)
    assert conventions.block_input_held(inverted, 1) == (24 * 64 + 24 * 16) + 4 * 64


def test_mcunet_code_holds_the_input_for_the_depth_wise_layer_of_a_shortcut_only() -> None:
    narrowing = graph_of(INVERTED, (4, 8, 8))
    even = graph_of(INVERTED.replace("3=2 4=1 6=216", "4=1 6=216"), (4, 8, 8))

    assert conventions.mcunet_code(narrowing, 1) == 24 * 64 + 24 * 16
    assert conventions.mcunet_code(even, 1) == (36 + 36 + 6) * 64


@pytest.mark.parametrize(
    ("layer", "instead"),
    [
        ("thin1  1 1 b c 0=6 1=1 6=144", "thin1  1 1 b c 0=6 1=1 6=144 9=1"),
        ("deep1  1 1 a b 0=24 1=3 3=2 4=1 6=216 7=24", "deep1  1 1 a b 0=24 1=3 3=2 4=1 6=432 7=12"),
        ("thin1  1 1 b c 0=6 1=1 6=144", "thin1  1 1 b c 0=6 1=3 4=1 6=1296"),
    ],
    ids=["bent at its end", "groups of two channels", "not 1x1 at its end"],
)
def test_what_is_no_inverted_residual(layer: str, instead: str) -> None:
    graph = graph_of(INVERTED.replace(layer, instead), (4, 8, 8))

    assert not any(block.entry == "data" for block in building_blocks(graph))


def test_layers_in_place_follow_an_end_that_is_not_bent() -> None:
    for layer, found in (("BatchNorm after 1 1 y c 0=6", True), ("ReLU after 1 1 y c", False)):
        after = INVERTED.replace("thin1  1 1 b c 0=6 1=1 6=144", f"thin1  1 1 b y 0=6 1=1 6=144\n{layer}")
        graph = graph_of(after, (4, 8, 8))
        assert any(block.entry == "data" for block in building_blocks(graph)) is found, layer


def test_constants_do_not_hide_a_residual_block(residual: Graph) -> None:
    scaled = RESIDUAL.replace(
        "BatchNorm   norm  1 1 right b 0=16",
        "MemoryData factor 0 1 k 0=16\nBinaryOp norm 2 1 right k b 0=2",
    )

    (block,) = building_blocks(graph_of(scaled, (4, 8, 8)))

    assert block.entry == "a"


def test_what_is_alive_in_light_mode(residual: Graph) -> None:
    data, narrow, broad = 4 * 64, 16 * 64, 32 * 64

    assert moments(residual, 1) == (
        Moment("wide", data + narrow, narrow),
        Moment("fork", narrow, narrow),
        # Its bottom is the shortcut as well: it writes over a copy.
        Moment("norm", 2 * narrow, 2 * narrow),
        Moment("inner", 2 * narrow + broad, narrow + broad),
        Moment("bend", narrow + broad, narrow + broad),
        Moment("outer", 2 * narrow + broad, 2 * narrow),
        Moment("add", 3 * narrow, narrow),
        Moment("flat", 2 * narrow, narrow),
        Moment("mean", narrow + 1, 1),
    )
    assert conventions.liveness(residual, 4) == 4 * (2 * narrow + broad)


def test_results_stay_alive_even_if_they_are_read() -> None:
    blobs = [InputBlob("data", (4, 8, 8))]
    graph = build(param_file.parse(param_text(RESIDUAL)), blobs, outputs=["e", "out"])

    assert moments(graph, 1)[-1].after == 16 * 64 + 1


def test_all_blobs_are_kept_without_light_mode(residual: Graph) -> None:
    counted = 4 * 64 + 16 * 64 + 16 * 64 + 32 * 64 + 32 * 64 + 16 * 64 + 16 * 64 + 16 * 64 + 1

    assert conventions.all_blobs(residual, 1) == counted
    assert conventions.all_blobs(residual, 4) == 4 * counted


def test_ncnn_takes_what_liveness_says(residual: Graph, tmp_path: Path) -> None:
    """Apart from the input, which is the caller's, and of 16 bytes for the single number of the result."""
    param = tmp_path / "residual.param"
    param.write_text(param_text(RESIDUAL))

    light, heavy = (
        json.loads(
            subprocess.run(
                [sys.executable, "-c", TRACER, str(param), mode],
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            ).stdout
        )
        for mode in ("light", "heavy")
    )

    data = 4 * residual.elements("data")
    assert light == conventions.liveness(residual, 4)
    assert abs(heavy - (conventions.all_blobs(residual, 4) - data)) <= 16


@pytest.mark.parametrize(
    ("layer", "shape", "told"),
    [
        ("Convolution x 1 1 data out 0=4 1=3 11=1 3=2 13=1 6=48", (4, 8, 8), "conv 1x3x4x4 s1x2"),
        ("ConvolutionDepthWise x 1 1 data out 0=4 1=3 6=72 7=2", (4, 8, 8), "conv 3x3x2x4 g2"),
        ("Deconvolution x 1 1 data out 0=2 1=2 3=2 6=32", (4, 8, 8), "deconv 2x2x4x2 s2"),
        ("Pooling x 1 1 data out 1=3 2=2", (4, 8, 8), "max pool 3x3 s2"),
        ("Pooling x 1 1 data out 0=1 7=1 8=2", (4, 8, 8), "avg pool 8x8"),
        ("BinaryOp x 1 1 data out 0=2 1=1 2=0.5", (4, 8, 8), "mul"),
        ("Flatten x 1 1 data out", (4, 8, 8), "Flatten"),
    ],
)
def test_label_tells_what_a_layer_does(layer: str, shape: Shape, told: str) -> None:
    assert label(graph_of(f"Input data 0 1 data\n{layer}\n", shape).nodes[0]) == told


def counting(count: int, *, has_weights: bool = False) -> Convention:
    return Convention("any", "", "", lambda _graph, size: count * size, has_weights)


@pytest.mark.parametrize(
    ("in_flash", "has_weights", "memory"), [(True, False, 100), (False, False, 566), (False, True, 100)]
)
def test_weights_need_memory_where_they_are_not_read_from_flash(
    chain: Graph, in_flash: bool, has_weights: bool, memory: int
) -> None:
    weights = (288 + 8) + (72 + 8) + (80 + 10)

    told = fit(Device("any", 1000, 1000, in_flash), chain, counting(100, has_weights=has_weights), 1)

    assert (told.memory, told.storage) == (memory, weights)


def test_network_fits_where_memory_and_storage_suffice(chain: Graph) -> None:
    def fits(memory: int, storage: int | None) -> tuple[bool, bool, bool]:
        told = fit(Device("any", memory, storage, weights_in_flash=True), chain, counting(100), 4)
        return told.in_memory, told.in_storage, told.fits

    weights = conventions.storage(chain, 4)
    assert fits(400, weights) == (True, True, True)
    assert fits(399, weights) == (False, True, False)
    assert fits(400, weights - 1) == (True, False, False)
    assert fits(400, None) == (True, True, True)


def test_only_the_microcontroller_reads_weights_from_flash() -> None:
    assert [device.name for device in DEVICES if device.weights_in_flash] == ["STM32F746"]
    memory = [device.memory for device in DEVICES]
    assert memory == sorted(memory, reverse=True)
