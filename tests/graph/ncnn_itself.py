"""What ncnn itself says of networks, asked in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ncnn_peakmem.network import Shape

# Loads each network that a line of standard input describes, with zero weights, and tells its blobs' shapes.
CHILD = """\
import ctypes, json, sys, ncnn
address_of = ctypes.pythonapi.PyCapsule_GetPointer
address_of.restype, address_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
taken = read = 0
class Zeros(ncnn.DataReader):
    def read(self, place, size):
        global read
        read += size
        ctypes.memset(address_of(place, None), 0, size)
        return size
class Counter(ncnn.PoolAllocator):
    def fastMalloc(self, size):
        global taken
        taken += 1
        return super().fastMalloc(size)
for line in sys.stdin:
    job = json.loads(line)
    net, counter, shapes, taken, read = ncnn.Net(), Counter(), {}, 0, 0
    # So that nothing but the layers takes memory.
    net.opt.use_packing_layout = False
    net.opt.num_threads = 1
    codes = [net.load_param(job["param"]), net.load_model(Zeros())]
    if codes == [0, 0]:
        extractor = net.create_extractor()
        extractor.set_light_mode(False)
        extractor.set_blob_allocator(counter)
        for name, shape in job["inputs"].items():
            mat = ncnn.Mat(*reversed(shape))
            mat.fill(0.0)
            extractor.input(name, mat)
        for blob in job["blobs"]:
            mat = ncnn.Mat()
            code = extractor.extract(blob, mat, 1)
            sizes = {1: [mat.w], 2: [mat.h, mat.w], 3: [mat.c, mat.h, mat.w], 4: [mat.c, mat.d, mat.h, mat.w]}
            shapes[blob] = None if code else sizes[mat.dims]
        del mat
        extractor.clear()
    in_place = {layer.name: layer.support_inplace for layer in net.layers()}
    told = {"codes": codes, "shapes": shapes, "in_place": in_place, "taken": taken, "read": read}
    print(json.dumps(told), flush=True)
"""


@dataclass(frozen=True)
class Told:
    """What ncnn says of a network."""

    codes: list[int]
    shapes: Mapping[str, Shape | None]
    in_place: Mapping[str, bool]
    taken: int
    """How many pieces of memory its blobs took."""
    read: int
    """How many bytes of weights it asked for."""


def ask_ncnn(jobs: list[dict[str, Any]]) -> list[Told]:
    lines = "".join(json.dumps(job) + "\n" for job in jobs)
    told = subprocess.run(
        [sys.executable, "-c", CHILD], input=lines, capture_output=True, text=True, timeout=120, check=True
    )
    answers = [json.loads(line) for line in told.stdout.splitlines()]
    return [
        Told(
            answer["codes"],
            {blob: shape and tuple(shape) for blob, shape in answer["shapes"].items()},
            answer["in_place"],
            answer["taken"],
            answer["read"],
        )
        for answer in answers
    ]
