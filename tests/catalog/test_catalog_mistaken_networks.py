"""Mistakes in a catalog's networks."""

from __future__ import annotations

from pathlib import Path

import pytest

from ncnn_peakmem.catalog.mistake import shown
from ncnn_peakmem.networks import TOPOLOGIES
from tests.catalog.mistaken import NETWORK, Write, changed, complaints, each

ALLOWED_TOPOLOGIES = ", ".join(sorted(TOPOLOGIES))
NETWORK_KEYS = (
    "bin, budget, calibration, input_shapes, loops, onnx, param, precision, seed, tolerances, topology"
)
MISTAKES = [
    (
        NETWORK,
        "{topology: alexnt}",
        (
            "networks.alexnet.topology: 'alexnt' is no built-in topology (did you mean 'alexnet'?); "
            f"allowed: {ALLOWED_TOPOLOGIES}"
        ),
    ),
    (
        NETWORK,
        "{topology: }",
        f"networks.alexnet.topology: nothing is no built-in topology; allowed: {ALLOWED_TOPOLOGIES}",
    ),
    (NETWORK, "~", "networks.alexnet: found nothing; allowed: a mapping"),
    (NETWORK, "{}", "networks.alexnet: found no source; allowed: one of topology, onnx, param"),
    (
        NETWORK,
        "{topology: alexnet, onnx: models.yaml}",
        "networks.alexnet: found topology and onnx; allowed: one of topology, onnx, param",
    ),
    (
        NETWORK,
        "{onnx: models.yaml, bin: models.yaml}",
        "networks.alexnet.bin: does not go with onnx; allowed: with param",
    ),
    (
        NETWORK,
        "{onnx: models.yaml, seed: 3}",
        "networks.alexnet.seed: does not go with onnx; allowed: with topology",
    ),
    (
        NETWORK,
        "{onnx: models.yaml, precision: int8}",
        "networks.alexnet.precision: does not go with onnx; allowed: with param",
    ),
    (
        NETWORK,
        "\n    onnx: models.yaml\n    input_shapes:\n      - [1, 3]\n      - [1,\n         0]  #!",
        "networks.alexnet.input_shapes[1][1]: found 0; allowed: 1 or more",
    ),
    (
        NETWORK,
        "{onnx: models.yaml, input_shapes: [[]]}",
        "networks.alexnet.input_shapes[0]: holds 0; allowed: 1 or more",
    ),
    (
        NETWORK,
        "{onnx: models.yaml, input_shapes: 224}",
        "networks.alexnet.input_shapes: found 224; allowed: a list",
    ),
    (
        NETWORK,
        "{topology: alexnet, topologie: x}",
        (
            "networks.alexnet.topologie: 'topologie' is no key (did you mean 'topology'?); "
            f"allowed: {NETWORK_KEYS}"
        ),
    ),
    (NETWORK, "{topology: alexnet, seed: -1}", "networks.alexnet.seed: found -1; allowed: 0 or more"),
    (
        NETWORK,
        "{param: models.yaml, precision: fp8}",
        "networks.alexnet.precision: 'fp8' is no precision; allowed: fp16, fp32, int8",
    ),
    (NETWORK, "{param: models.yaml, bin: }", "networks.alexnet.bin: found nothing; allowed: a path"),
    (
        NETWORK,
        "\n    topology: alexnet\n    loops:  #!\n      minimum: 401",
        "networks.alexnet.loops: found minimum 401; allowed: up to the maximum, 400",
    ),
    (
        NETWORK,
        "\n    topology: alexnet\n    loops:\n      minimun: 3  #!",
        (
            "networks.alexnet.loops.minimun: 'minimun' is no key (did you mean 'minimum'?); "
            "allowed: maximum, minimum, settle_factor"
        ),
    ),
    (
        NETWORK,
        "\n    topology: alexnet\n    tolerances:\n      heep: {}  #!",
        (
            "networks.alexnet.tolerances.heep: 'heep' is no gauge (did you mean 'heap'?); "
            "allowed: deployed, heap, pages"
        ),
    ),
    (
        "alexnet:",
        "Alex-Net:",
        "networks.Alex-Net: found 'Alex-Net'; allowed: lower-case letters, digits and _",
    ),
    ("alexnet:", "'a\\nb':", r"networks.'a\\nb': found 'a\\nb'; allowed: lower-case letters, digits and _"),
    (
        "alexnet:",
        "highlight:",
        (
            "networks.highlight: 'highlight' overlaps with the label 'light' of lightmode: "
            "-k light would pick both"
        ),
    ),
    (
        "alexnet:",
        "nai:",
        "networks.nai: 'nai' overlaps with the label 'naive' of sgemm: -k nai would pick both",
    ),
]


@each(MISTAKES)
def test_a_mistake_is_told_with_line_key_and_what_is_allowed(
    write: Write, old: str, new: str, complaint: str
) -> None:
    path, line = changed(write, old, new)
    assert complaints(path) == [f"{path}:{line}: {complaint}"]


@pytest.mark.parametrize("key", ["onnx", "param"])
@pytest.mark.parametrize("file", ["none.onnx", "nets", "x" * 300])
def test_a_file_that_is_not_there(write: Write, tmp_path: Path, key: str, file: str) -> None:
    (tmp_path / "nets").mkdir()
    path = write((NETWORK, f"{{{key}: {file}}}"))
    (complaint,) = complaints(path)
    assert complaint.startswith(f"{path}:8: networks.alexnet.{key}: {shown(file)} ")
    assert complaint.endswith((f"is no file (looked in {tmp_path})", "File name too long"))


def test_a_network_given_twice(write: Write) -> None:
    path = write(("  alexnet:", "  resnet18:"))
    assert complaints(path) == [f"{path}:8: networks.resnet18: 'resnet18' is here twice, first in line 7"]
